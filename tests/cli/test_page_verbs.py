"""gleam report, view and watch: pages from files and from runs."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import example_files, tiny_recipe, tiny_scan

from gleam.cli import main
from gleam.formats import write_scan
from gleam.report.served import Served
from gleam.runs.train import train


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, and examples that it has not seen."""
    folder = tmp_path_factory.mktemp("pages")
    train(tiny_recipe(example_files(folder / "seen")), folder / "run", quiet=True)
    example_files(folder / "unseen", scans=2, first=10)
    return folder


def content(path: Path) -> Any:
    (found,) = re.findall(
        r'<script type="application/json" id="content">(.*?)</script>', path.read_text(), re.DOTALL
    )
    return json.loads(found)


def test_a_report_of_runs_takes_what_is_there(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ["--data", str(made / "unseen" / "examples"), "--out", str(tmp_path)]
    assert main(["evaluate", str(made / "run"), *data]) == 0
    capsys.readouterr()

    def never(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("gleam.evaluation.kept.scored", never)
    assert main(["report", str(made / "run"), *data]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["report", str(made / "run"), *data, "--force"]) == 0
    assert capsys.readouterr().out == f"report: {tmp_path / 'report.html'}\n"
    page = content(tmp_path / "report.html")
    assert [scan["name"] for scan in page["scans"]] == ["scan-10", "scan-11"]
    names = ["Target", "zero-filled", "CG-SENSE", "wavelets", "run"]
    assert [image["name"] for image in page["scans"][0]["images"]] == names
    assert main(["report", str(made / "run"), *data, "--force", "--scans", "scan-11"]) == 0
    assert [scan["name"] for scan in content(tmp_path / "report.html")["scans"]] == ["scan-11"]
    assert main(["report", str(made / "run"), *data, "--force", "--scans", "scan-12"]) == 2
    assert "--scans scan-12: no such scan; did you mean" in capsys.readouterr().err


def test_a_report_without_data_tells_of_the_training(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(made / "run"), "--out", str(tmp_path)]) == 0
    page = content(tmp_path / "report.html")
    assert page["scans"] == page["tests"] == []
    assert {"losses-0", "validation"} == page["plots"].keys()
    assert "Memory and time" in (tmp_path / "report.html").read_text()
    assert main(["report", "--out", str(tmp_path)]) == 2
    assert "name a run" in capsys.readouterr().err


def test_a_scan_is_reconstructed_and_an_example_too(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scan(tiny_scan(name="scan"), tmp_path / "scan.h5")
    out = tmp_path / "scan.html"
    said = ["view", str(tmp_path / "scan.h5"), "--method", "zero-filled", "cg-sense"]
    assert main([*said, "-o", str(out), "--acceleration", "2"]) == 0
    (scan,) = content(out)["scans"]
    assert [image["name"] for image in scan["images"]] == ["zero-filled", "cg-sense"]
    assert scan["sampling"].startswith("data:image/png")
    assert main([*said, "-o", str(out)]) == 2
    assert "replace it with --force" in capsys.readouterr().err
    example = next((made / "unseen" / "examples").glob("*.h5"))
    assert main(["view", str(example), "-o", str(tmp_path / "example.html")]) == 0
    assert content(tmp_path / "example.html")["scans"][0]["name"] == "scan-10"


def test_images_of_plain_numbers_say_their_axes(tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", np.ones((6, 5), np.float32))
    out = tmp_path / "image.html"
    assert main(["view", str(tmp_path / "image.npy"), "--axes", "y x", "-o", str(out)]) == 0
    assert content(out)["scans"][0]["size"] == [1, 1, 1, 6, 5]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name an image, or a scan"),
        (["missing.nii"], "does not exist"),
        (["scan.h5", "scan.h5"], "is a scan, which is looked at alone"),
        (["scan.h5", "-o", "page.htm"], "give it that suffix"),
        (["scan.h5", "--port", "70000"], "cannot be listened to"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(
    words: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_scan(tiny_scan(slices=1), tmp_path / "scan.h5")
    assert main(["view", *words]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("gleam: ")
    assert said in line


@pytest.mark.parametrize("verb", ["view", "watch"])
def test_pages_are_served_until_ctrl_c(
    verb: str,
    made: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    closed: list[Callable[[], None]] = []

    def interrupted(served: Served) -> None:
        raise KeyboardInterrupt

    close = Served.close
    monkeypatch.setattr(Served, "wait", interrupted)
    monkeypatch.setattr(Served, "close", lambda served: (closed.append(close), close(served)))
    monkeypatch.setattr("webbrowser.open", opened.append)
    write_scan(tiny_scan(slices=1), tmp_path / "scan.h5")
    what = str(made / "run" if verb == "watch" else tmp_path / "scan.h5")
    assert main([verb, what]) == 130
    (url,) = opened
    assert f"{url} (Ctrl-C ends)" in capsys.readouterr().out
    assert len(closed) == 1
    assert main([verb, what, "--no-browser"]) == 130
    assert len(opened) == 1
