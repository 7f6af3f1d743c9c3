"""What ships, on the command line: adapted, or used where a check says that it suits the scan."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kinds import KINDS
from shelves import NAME, put
from tiny import every_second_line, example_files, tiny_scan, undersampled

import gleam
from gleam.cli import main
from gleam.formats import write_scan
from gleam.physics.classical import CLASSICAL
from gleam.runs import shipped

Call = Callable[..., tuple[str, str]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLASSICAL, "wavelet", CLASSICAL["zero-filled"])  # takes no time


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a scan; a network ships."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "shelf")
    put(tmp_path / "shelf")
    few = undersampled(replace(tiny_scan((24, 40), slices=1), name="few"), every_second_line(40))
    write_scan(few, tmp_path / "scans" / "few.h5")
    return tmp_path


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    def called(*arguments: object, code: int = 0) -> tuple[str, str]:
        capfd.readouterr()
        assert main([str(argument) for argument in arguments]) == code
        return capfd.readouterr()

    return called


def images(here: Path, call: Call, *more: object) -> tuple[np.ndarray, np.ndarray, str]:
    """The image that is made in the network's name, that of wavelets, and what was said."""
    scan = "scans/few.h5"
    call("reconstruct", "wavelet", scan, "-o", "wavelet.npy", "--force")
    out, _ = call("reconstruct", NAME, scan, "-o", "image.npy", "--force", *more)
    return np.load(here / "image.npy"), np.load(here / "wavelet.npy"), out


def test_it_makes_the_image_where_it_predicts_the_scan_best(here: Path, call: Call) -> None:
    image, wavelet, said = images(here, call)
    assert f"by neural network, modl of 3 iterations: {NAME} predicts this scan best" in said
    assert not np.allclose(image, wavelet)
    assert not (here / "image.check.json").exists()
    call("export", NAME, "--to", "mine")  # a folder of the user's is used as it is
    call("reconstruct", "mine", "scans/few.h5", "-o", "mine.npy")
    np.testing.assert_array_equal(np.load(here / "mine.npy"), image)


def test_wavelets_do_where_it_does_not_suit_the_scan(
    here: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CLASSICAL, "wavelet", CLASSICAL["cg-sense"])
    put(here / "shelf", spoilt=True)
    image, wavelet, said = images(here, call)
    np.testing.assert_array_equal(image, wavelet)
    assert "by wavelet: wavelet predicts this scan best" in said
    assert f"{NAME} does not suit this scan" in said
    *_, told = images(here, call, "--json", "--check")
    assert json.loads(told)["method"] == "wavelet"
    assert (here / "image.check.json").exists()
    call("reconstruct", NAME, "scans", "-o", "all")
    (entry,) = [json.loads(line) for line in Path("all/manifest.jsonl").read_text().splitlines()]
    assert any("the image is by wavelet" in warning for warning in entry["warnings"])


def test_adapted_it_makes_the_image_itself(here: Path, call: Call) -> None:
    image, wavelet, said = images(here, call, "--adapt", "--steps", 2)
    assert not np.allclose(image, wavelet)
    assert "by wavelet" not in said


@pytest.mark.parametrize("options", [[], ["--adapt", "--steps", 2]], ids=["plain", "adapted"])
def test_wavelets_do_where_nothing_can_be_checked(
    options: list[object], here: Path, call: Call
) -> None:
    write_scan(tiny_scan((24, 40), slices=1), here / "full.h5")
    _, said = call("reconstruct", NAME, "full.h5", "-o", "image.npy", *options)
    assert "was not checked: " in said
    assert "the image is by wavelet" in said
    assert "is used as it is" not in said
    call("reconstruct", "wavelet", "full.h5", "-o", "wavelet.npy")
    np.testing.assert_array_equal(np.load("image.npy"), np.load("wavelet.npy"))


def test_another_kind_of_scan_is_told_what_to_use_instead(here: Path, call: Call) -> None:
    write_scan(KINDS["2D series"].scan, here / "other.cfl")
    what = ["other.cfl", "-o", "image.npy"]
    _, said = call("reconstruct", NAME, *what, code=2)
    assert f"{NAME}: was trained on 2D slices, but " in said
    assert "or temporal-tv, which needs no training" in said
    assert not (here / "image.npy").exists()


@pytest.mark.usefixtures("here")
def test_it_stands_wherever_a_run_does(call: Call) -> None:
    assert "Aggarwal" in call("cite", NAME)[0]
    call("check", "scans/few.h5", NAME, "wavelet", "--draws", 2)
    call("prepare", "scans", "prepared")
    call("adapt", NAME, "prepared", "--out", "own", "--steps", 1)
    assert f"that ships: {NAME}" in call("adapt", "gleam", "prepared", "--out", "x", code=2)[1]
    _, said = call("train", "--start", NAME, "--grow", 1, "--out", "x", "--data.train", "y", code=2)
    assert said.startswith("gleam: y: does not exist")


def test_it_is_scored_and_reported_as_it_is(here: Path, call: Call) -> None:
    examples = example_files(here / "made", scans=1)
    call("evaluate", NAME, "--data", examples, "--out", "scores")
    summary = json.loads((here / "scores" / "summary.json").read_text(encoding="utf-8"))
    assert NAME in json.dumps(summary)
    call("report", NAME, "--out", "report")
    page = (here / "report" / "report.html").read_text(encoding="utf-8")
    parameters = sum(weight.numel() for weight in gleam.open_run(NAME).network.parameters())
    assert f"{parameters:,}".replace(",", "\u202f") in page


@pytest.mark.usefixtures("here")
def test_in_python() -> None:
    data = gleam.prepare("scans/few.h5")
    assert gleam.open_run(NAME).recipe.network.iterations == 3
    image = gleam.reconstruct(data, NAME)
    assert image.verdict.startswith(f"{NAME} predicts this scan best")
    with pytest.raises(gleam.BadInput, match=f"did you mean {NAME}"):
        gleam.reconstruct(data, "gleam-tinny")
    two = gleam.prepare("scans/few.h5", sets=2)
    with pytest.raises(gleam.BadInput, match=r"takes 1 map set, but .* with 2; .* wavelet"):
        gleam.reconstruct(two, NAME)
