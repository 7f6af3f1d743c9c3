"""Every verb that reads a scan takes the measurement that --group names, or else the last."""

import json
from pathlib import Path

import numpy as np
import pytest
from scanner import Scanner

from gleam.cli import main


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """Two measurements, the first three times as bright; and the second of two slices."""
    for number in (1, 2):
        scanner = Scanner()
        scanner.points = [(scanner.voxel(3, -5), 4 + 1j)]
        for index in range(number):
            for line in range(24):
                scanner.acquire(line, gain=5 - 2 * number, slice=index)
        scanner.write(tmp_path / "scan.h5", group=f"dataset_{number}")
    return tmp_path / "scan.h5"


@pytest.mark.parametrize(("group", "slices"), [(["--group", "dataset_1"], 1), ([], 2)])
def test_measurement(
    group: list[str], slices: int, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(scan), *group, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scan"]["slices"] == slices
    for became in ("prepared", "kept"):
        assert main(["prepare", str(scan), str(tmp_path / "out"), *group, "--json"]) == 0
        (outcome,) = json.loads(capsys.readouterr().out)
        assert (outcome["status"], outcome["shape"][0]) == (became, slices)
    image = tmp_path / "image.npy"
    assert main(["reconstruct", "zero-filled", str(scan), *group, "-o", str(image)]) == 0
    assert np.load(image).shape[0] == slices
    bright = np.abs(np.load(image)).max()
    last = tmp_path / "last.npy"
    assert main(["reconstruct", "zero-filled", str(scan), "-o", str(last)]) == 0
    assert bright == pytest.approx(np.abs(np.load(last)).max() * (5 - 2 * slices), rel=1e-4)


def test_another_measurement_is_another_preparation(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def prepare(group: str, *more: str) -> tuple[int, str]:
        command = ["prepare", str(scan), str(tmp_path / "out"), "--group", group, *more]
        return main(command), capsys.readouterr().out

    assert prepare("dataset_1")[1].startswith("1 prepared, 0 kept")
    assert prepare("dataset_2")[0] == 2
    assert prepare("dataset_2", "--force")[1].startswith("1 prepared, 0 kept")


@pytest.mark.parametrize(
    ("name", "more", "says"),
    [
        ("scan.h5", ["--group", "3"], "--group is one of dataset_1, dataset_2"),
        ("scan.npy", ["--group", "1"], "--group chooses a measurement of ISMRMRD or twix"),
        ("scan.h5", ["--group", "dataset_1", "--axes", "y x"], "say themselves what they hold"),
    ],
)
def test_groups_that_are_none(
    name: str,
    more: list[str],
    says: str,
    scan: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "scan.npy").touch()
    assert main(["inspect", str(tmp_path / name), *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert str(tmp_path / name) in line
