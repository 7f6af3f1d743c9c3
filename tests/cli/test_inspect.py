import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image
from tiny import every_second_line, example_files, tiny_scan, undersampled

from gleam.cli import main
from gleam.formats import Scan, write_scan
from gleam.formats.scan import centred_affine
from gleam.preparation.description import scan_facts

Inspect = Callable[..., dict[str, Any]]


@pytest.fixture
def inspect(capsys: pytest.CaptureFixture[str]) -> Inspect:
    """What `gleam inspect FILE --json` says."""

    def run(file: Path, *options: object) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["inspect", str(file), "--json", *map(str, options)]) == 0
        facts: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert facts.pop("file") == str(file)
        return facts

    return run


def written(scan: Scan, path: Path) -> Path:
    write_scan(scan, path)
    return path


def test_full_scan(inspect: Inspect, tmp_path: Path) -> None:
    facts = inspect(written(tiny_scan(), tmp_path / "scan.h5"))
    scan = facts["scan"]
    expected = {
        "axes": ["y", "x"],
        "matrix": [24, 20],
        "kspace": [48, 20],
        "slices": 2,
        "frames": 1,
        "coils": 3,
        "readout": "y",
        "oversampling": 2.0,
        "acquired": [[0, 48], [0, 20]],
        "acceleration": 1.0,
        "calibration": [[0, 48], [0, 20]],
        "noise_samples": 0,
        "orientation": None,
    }
    assert {name: scan[name] for name in expected} == expected
    assert scan["voxel_mm"] == pytest.approx(tiny_scan().voxel)
    assert facts["refused"] is None
    assert facts["picture"] == "CG-SENSE"
    made = facts["example"]
    assert made.pop("noise") > 0
    assert made == {
        "shape": [2, 3, 1, 24, 20],
        "axes": ["y", "x"],
        "fourier_axes": ["x"],
        "calibration": [24, 10],
        "sets": 1,
        "target": True,
        "partial_fourier": [],
        "matrix": [24, 20],
        "warnings": [],
    }


def test_undersampled_scan_says_what_was_acquired(inspect: Inspect, tmp_path: Path) -> None:
    lines = every_second_line()
    lines[..., :5] = False  # partial Fourier
    scan = undersampled(tiny_scan(), lines)
    facts = inspect(written(scan, tmp_path / "scan.h5"))
    assert facts["scan"]["acquired"] == [[0, 48], [6, 19]]
    assert facts["scan"]["acceleration"] == pytest.approx(13 / lines.sum())
    assert facts["scan"]["calibration"] == [[0, 48], [6, 15]]
    assert facts["example"]["target"] is False


def test_scan_without_calibration_lines_is_shown_all_the_same(
    inspect: Inspect, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (np.arange(20) % 3 == 0)[None, None]
    file = written(undersampled(tiny_scan(), lines), tmp_path / "scan.h5")
    facts = inspect(file)
    assert (facts["example"], facts["picture"]) == (None, "zero-filled")
    assert "scan with calibration lines" in facts["refused"]
    assert main(["inspect", str(file)]) == 0
    assert facts["refused"] in capsys.readouterr().out


def test_reference_stands_in_for_calibration_lines(inspect: Inspect, tmp_path: Path) -> None:
    lines = (np.arange(20) % 3 == 0)[None, None]
    whole = tiny_scan(slices=3)
    file = written(undersampled(whole, lines), tmp_path / "scan.h5")
    facts = inspect(file, "--reference", written(whole, tmp_path / "reference.h5"))
    assert facts["example"]["shape"] == [3, 3, 1, 24, 20]
    assert (facts["refused"], facts["picture"]) == (None, "CG-SENSE")


def test_calibration_lines_of_another_contrast_are_told() -> None:
    lines = (np.arange(20) % 3 == 0)[None, None]
    whole = tiny_scan()
    facts = scan_facts(replace(undersampled(whole, lines), reference=whole))
    assert (facts["calibration"], facts["reference"]) == (None, [[0, 48], [0, 20]])


def test_orientation_is_that_of_the_slices(inspect: Inspect, tmp_path: Path) -> None:
    turn = np.eye(4)
    turn[:3, :3] = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]  # slices from right to left
    turn[:3, 3] = [1, 2, 3]
    scan = tiny_scan(slices=1)
    affine = turn @ centred_affine((24, 20), (1.0, 1.0, 1.0), 1)
    straight = scan_facts(replace(scan, affine=affine))["orientation"]
    assert (straight["plane"], straight["tilt_degrees"]) == ("sagittal", 0)
    assert straight["centre_mm"] == pytest.approx([1, 1.5, 2.5])
    lean = np.eye(4)
    lean[:2, :2] = [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]
    tilted = scan_facts(replace(scan, affine=lean @ turn))["orientation"]
    assert tilted["plane"] == "sagittal"
    assert tilted["tilt_degrees"] == pytest.approx(np.degrees(0.2))


def test_example_file(inspect: Inspect, tmp_path: Path) -> None:
    examples = example_files(tmp_path, scans=1)
    facts = inspect(examples / "scan-0.h5", "-o", tmp_path / "example.png")
    assert facts == {
        "part": "",
        "scan": None,
        "example": inspect(tmp_path / "scans" / "scan-0.h5")["example"],
        "refused": None,
        "picture": "CG-SENSE",
    }


def test_picture_shows_the_slice_and_the_sampling(inspect: Inspect, tmp_path: Path) -> None:
    scan = undersampled(tiny_scan(oversampling=1), every_second_line())
    inspect(written(scan, tmp_path / "scan.cfl"), "-o", tmp_path / "new" / "scan.png")
    with Image.open(tmp_path / "new" / "scan.png") as picture:
        drawn = np.asarray(picture)[::11, ::11]  # enlarged to 24 · 11 = 264 rows
    assert drawn.shape == (24, 20 + 4 + 20)
    assert drawn[:, :20].max() == 255
    assert 0 < drawn[:, :20].mean() < 128
    assert np.array_equal(drawn[:, 24:], np.broadcast_to(255 * every_second_line()[0], (24, 20)))


def test_terminal_shows_the_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tiny_scan(), tmp_path / "scan.h5")
    assert main(["inspect", str(file)]) == 0
    assert "▀" not in capsys.readouterr().out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "50")
    assert main(["inspect", str(file)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "▀" in line]
    assert {line.count("▀") for line in lines} == {49}
    assert len(lines) == 29
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["inspect", str(file)]) == 0
    assert "▀" not in capsys.readouterr().out


def test_nothing_is_written_unless_asked_for(inspect: Inspect, tmp_path: Path) -> None:
    file = written(tiny_scan(), tmp_path / "scan.h5")
    before = file.read_bytes()
    inspect(file)
    assert [path.name for path in tmp_path.iterdir()] == ["scan.h5"]
    assert file.read_bytes() == before


def test_patient_is_not_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tiny_scan(), tmp_path / "scan.h5")
    with h5py.File(file, "a") as opened:
        opened.attrs["patient_id"] = "MUSTERMANN"
    for options in ([], ["--json"]):
        assert main(["inspect", str(file), *options]) == 0
        assert "MUSTERMANN" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no.h5"], "no.h5: no such file"),
        (["file.txt"], "unknown suffix"),
        (["no.h5", "-o", "x.jpg"], "x.jpg: the picture is a .png file"),
    ],
)
def test_mistakes(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_noise_in_a_file_is_told(inspect: Inspect, tmp_path: Path) -> None:
    file = written(tiny_scan(), tmp_path / "scan.h5")
    rng = np.random.default_rng(0)
    np.save(tmp_path / "noise.npy", rng.normal(size=(3, 90)) + 1j * rng.normal(size=(3, 90)))
    assert inspect(file)["scan"]["noise_samples"] == 0
    assert inspect(file, "--noise", tmp_path / "noise.npy")["scan"]["noise_samples"] == 90
