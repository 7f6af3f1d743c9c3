import re
from pathlib import Path

import pytest

from gleam.cli import demo, main
from gleam.runs.folder import load_recipe, read_summary


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's own commands, at a size for tests."""
    monkeypatch.setattr(
        demo, "SETS", {"train": (2, 1, 1), "validation": (1, 1, 2), "test": (2, 1, 3)}
    )
    monkeypatch.setattr(demo, "MINUTES", 0.002)
    monkeypatch.setattr(demo, "cores", lambda: 1)


@pytest.mark.usefixtures("tiny")
def test_demo_goes_the_whole_way_and_names_its_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    said = capsys.readouterr().out.splitlines()
    report = out / "report" / "report.html"
    assert said[-2] == f"report: {report}"
    assert re.fullmatch(
        r"greedy: \d+\.\d dB (above|below) CG-SENSE .*, below zero filling on (no|\d+) slices?",
        said[-1],
    )
    recipes = [load_recipe(out / "runs" / name) for name in ("end-to-end", "greedy")]
    assert all(recipe.training.minutes is None for recipe in recipes)
    whole, greedy = (
        read_summary(out / "runs" / name)["peak_memory_bytes"] for name in ("end-to-end", "greedy")
    )
    assert greedy < 1.1 * whole  # as its report says, and README
    page = report.read_text()
    assert all(name in page for name in ("zero-filled", "CG-SENSE", "end-to-end", "greedy"))
    assert (out / "scan-0000.png").read_bytes().startswith(b"\x89PNG")


def test_an_earlier_demo_is_replaced_where_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_commands(out: Path) -> list[list[str]]:
        (out / "report").mkdir()
        lines = ["method,scan,slice,psnr_complex"]
        lines += [f"{name},scan,0,1" for name in ("zero-filled", "CG-SENSE", "greedy")]
        (out / "report" / "metrics.csv").write_text("\n".join(lines))
        return []

    monkeypatch.setattr(demo, "commands", no_commands)
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    (out / "earlier").touch()
    assert main(["demo", "--out", str(out)]) == 2
    assert "is there already; replace it with --force" in capsys.readouterr().err
    assert (out / "earlier").exists()
    assert main(["demo", "--out", str(out), "--force"]) == 0
    assert not (out / "earlier").exists()
    assert (out / "report" / "metrics.csv").exists()


def test_demo_does_not_replace_a_folder_it_did_not_make(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").touch()
    assert main(["demo", "--out", str(tmp_path), "--force"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("greedy", "said"),
    [
        ((3.0, 5.0), "greedy: 1.5 dB above CG-SENSE on average, below zero filling on no slice"),
        ((0.5, 3.0), "greedy: 0.8 dB below CG-SENSE on average, below zero filling on 1 slice"),
        ((0.0, 1.0), "greedy: 2.0 dB below CG-SENSE on average, below zero filling on 2 slices"),
    ],
)
def test_the_outcome_is_that_of_the_scores(
    greedy: tuple[float, float], said: str, tmp_path: Path
) -> None:
    scores = {"zero-filled": (1.0, 2.0), "CG-SENSE": (2.0, 3.0), "greedy": greedy}
    lines = ["method,scan,slice,psnr_complex"]
    for method, values in scores.items():
        lines += [f"{method},scan,{i},{value}" for i, value in enumerate(values)]
    (tmp_path / "metrics.csv").write_text("\n".join(lines))
    assert demo._outcome(tmp_path / "metrics.csv") == said
