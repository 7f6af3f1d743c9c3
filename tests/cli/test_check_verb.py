"""gleam check, and what reconstruct says of its images."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny import every_second_line, tiny_scan, undersampled

from gleam.cli import main
from gleam.formats import write_scan
from gleam.physics.classical import CLASSICAL
from gleam.reconstruction.checked import read


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLASSICAL, "wavelet", CLASSICAL["sliding-window"])  # takes no time


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    keep = every_second_line(40)
    write_scan(undersampled(tiny_scan((24, 40)), keep), tmp_path / "scans" / "scan.h5")
    return tmp_path / "scans" / "scan.h5"


def run(*arguments: object) -> int:
    return main([*map(str, arguments)])


def test_what_is_found_is_printed_and_written(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, image = tmp_path / "found.json", tmp_path / "where.npy"
    command = ("check", scan, "cg-sense", "zero-filled", "-o", out, "--map", image, "--draws", 3)
    assert run(*command) == 0
    said = capsys.readouterr().out
    (check,) = read(out)
    assert [one.method for one in check.methods] == ["cg-sense", "zero-filled"]
    assert (check.scan, check.draws, check.pattern) == ("scan", 3, "lines")
    assert check.verdict in said.replace("\n", " ").replace("  ", " ")
    assert np.load(image).shape == (2, 1, 24, 40)
    assert run(*command) == 2
    assert "is there already" in capsys.readouterr().err
    assert run(*command, "--force", "--json") == 0
    (again,) = json.loads(capsys.readouterr().out)
    assert again["best"] == check.best


def test_a_map_in_dicom_is_replaced_where_that_is_said(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["check", scan, "cg-sense", "zero-filled", "-o", tmp_path / "f.json", "--draws", 1]
    for force in ([], ["--force"]):
        assert run(*command, "--map", tmp_path / "map", *force) == 0
    assert [path.name for path in sorted((tmp_path / "map").iterdir())] == ["0001.dcm", "0002.dcm"]
    monkeypatch.setattr("gleam.cli.check.check", None)  # what cannot be written is said before
    assert run(*command, "--force", "--map", tmp_path / "map.dcm") == 2
    assert "a DICOM file holds one image and this scan makes 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("cg-sense", "--draws", "0"), "--draws is 1 to 10"),
        (("cg-sense", "-o", "found.txt"), r"give it the suffix .json"),
        (("cg-sense", "--map", "where.npy"), "name two of them"),
        (("cg-sense", "wavelets"), "wavelets"),
        (("cg-sense", "--acceleration", "2"), "was undersampled when it was scanned"),
        (("temporal-tv",), "is for series"),
        ((), "names no method"),
    ],
)
def test_mistakes_are_one_line(
    options: tuple[str, ...], what: str, scan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", scan, *options) == 2
    said = capsys.readouterr().err.splitlines()
    assert what in said[-1]
    assert not list(Path.cwd().glob("found.*"))


@pytest.mark.parametrize("what", ["-o", "--map"])
def test_a_place_that_cannot_be_written_to_is_said_before_the_work(
    what: str,
    scan: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gleam.cli.check.check", None)
    place = scan / {"-o": "found.json", "--map": "map.npy"}[what]
    assert run("check", scan, "cg-sense", "zero-filled", what, place) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_an_image_is_checked_when_it_is_made(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "image.nii.gz"
    assert run("reconstruct", "zero-filled", scan, "-o", image, "--check") == 0
    (check,) = read(tmp_path / "image.check.json")
    assert check.verdict in capsys.readouterr().out
    best = ("reconstruct", "zero-filled", scan, "-o", tmp_path / "best.npy", "--method", "best")
    assert run(*best) == 0
    assert not (tmp_path / "best.check.json").exists()
    best = check.best or "zero-filled"
    assert run("reconstruct", best, scan, "-o", tmp_path / "same.npy") == 0
    np.testing.assert_array_equal(*(np.load(tmp_path / f"{n}.npy") for n in ("best", "same")))


def test_every_scan_of_a_folder_is_checked(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scan(tiny_scan((24, 40), seed=1), scan.with_name("full.h5"))
    out = tmp_path / "images"
    assert run("reconstruct", "zero-filled", scan.parent, "-o", out) == 0
    capsys.readouterr()
    command = ("reconstruct", "zero-filled", scan.parent, "-o", out, "--check", "--force")
    assert run(*command) == 0
    said = capsys.readouterr().out
    assert "2 reconstructed, 0 kept" in said
    assert "was not checked: full: was sampled in full" in said
    assert {path.name for path in out.glob("*.json")} == {"scan.check.json"}
    assert run(*command) == 0
    assert "0 reconstructed, 2 kept" in capsys.readouterr().out


def test_the_verdict_is_in_the_header_of_the_image(scan: Path, tmp_path: Path) -> None:
    import h5py
    import pydicom

    for name in ("image.mrd", "image"):
        assert (
            run("reconstruct", "zero-filled", scan, "-o", tmp_path / name, "--check", "--force")
            == 0
        )
    (check,) = read(tmp_path / "image.check.json")
    with h5py.File(tmp_path / "image.mrd") as file:
        assert check.verdict in str(file["dataset/image/attributes"][0])
    first = next((tmp_path / "image").glob("*.dcm"))
    assert check.verdict in pydicom.dcmread(first).ImageComments


def test_a_run_that_was_trained_on_the_file_is_not_ranked(scan: Path, tmp_path: Path) -> None:
    from tiny import example_files, tiny_recipe, trained_on

    from gleam import recipe as recipes
    from gleam.files import sha256_of
    from gleam.networks import build
    from gleam.networks.weights import weights_of
    from gleam.runs import folder as run_folder

    recipe = tiny_recipe(example_files(tmp_path / "other", scans=1), steps=1)
    folder = tmp_path / "run"
    folder.mkdir()
    recipes.save(recipe, folder / "recipe.yaml")
    run_folder.save_model(folder, weights_of(build(recipe.network, 0)))
    known = trained_on(recipe).model_copy(update={"training": {sha256_of(scan): "scan"}})
    run_folder.write_trained_on(folder, known)
    out = tmp_path / "found.json"
    assert run("check", scan, folder, "zero-filled", "-o", out, "--draws", 2) == 0
    (check,) = read(out)
    assert check[str(folder)].learnt
    assert not check["zero-filled"].learnt
    assert check.best != str(folder)
    assert f"{folder} has learnt from this very scan" in check.verdict


def test_evaluation_shows_the_check_beside_psnr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tiny import example_files

    examples, out = example_files(tmp_path, scans=1, shape=(24, 40)), tmp_path / "evaluation"
    command = ("evaluate", "--data", examples, "--out", out, "--check", "--mask.acceleration", 2)
    assert run(*command) == 0
    said = capsys.readouterr().out
    checks = read(out / "check.json")
    assert [check.scan for check in checks] == ["scan-0"]
    summary = json.loads((out / "summary.json").read_text())["check"]
    assert summary["error"].keys() == {one.method for one in checks[0].methods}
    assert 0 <= summary["right"] <= summary["pairs"] <= 6
    assert "the check without the truth puts" in said or "No two methods" in said
    page = (out / "report.html").read_text()
    assert "Checked without the truth" in page
    assert checks[0].verdict[:40] in page
