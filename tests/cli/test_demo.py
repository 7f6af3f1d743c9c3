from pathlib import Path

import pytest

from gleam.cli import demo, main


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's own commands, at a size for tests."""
    monkeypatch.setattr(
        demo, "SETS", {"train": (2, 1, 1), "validation": (1, 1, 2), "test": (2, 1, 3)}
    )
    monkeypatch.setattr(demo, "STEPS", 2)
    monkeypatch.setattr(demo, "cores", lambda: 1)


@pytest.mark.usefixtures("tiny")
def test_demo_goes_the_whole_way_and_names_its_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    assert main(["demo", "--out", str(out)]) == 2
    assert "is there already; replace it with --force" in capsys.readouterr().err
    assert main(["demo", "--out", str(out), "--force"]) == 0
    said = capsys.readouterr().out.splitlines()
    report = out / "report" / "report.html"
    assert said[-1] == f"report: {report}"
    page = report.read_text()
    assert all(name in page for name in ("zero-filled", "CG-SENSE", "end-to-end", "greedy"))
    assert (out / "scan-0000.png").read_bytes().startswith(b"\x89PNG")


def test_demo_does_not_replace_a_folder_it_did_not_make(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").touch()
    assert main(["demo", "--out", str(tmp_path), "--force"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "thesis.tex").exists()
