"""gleam reconstruct RUN FOLDER: what prepare promises of many scans, for images."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest
from scipy.io import loadmat
from tiny import tiny_scan

from gleam.cli import main
from gleam.formats import write_scan

Run = Callable[..., str]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    for seed in range(2):
        write_scan(tiny_scan(seed=seed), tmp_path / "scans" / f"scan-{seed}.h5")
    return tmp_path / "scans"


@pytest.fixture
def run(scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """What is said where the folder is reconstructed into `out`, and how it ended."""

    def run(*options: str, method: str = "zero-filled", code: int = 0) -> str:
        capsys.readouterr()
        command = ["reconstruct", method, str(scans), "-o", str(tmp_path / "out"), *options]
        assert main(command) == code
        said = capsys.readouterr()
        return said.err if code else said.out.splitlines()[0]

    return run


def lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def test_each_scan_becomes_the_image_that_it_becomes_alone(
    run: Run, scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run() == f"2 reconstructed, 0 kept, 0 skipped in {out}"
    for seed in range(2):
        alone, name = tmp_path / f"alone-{seed}.nii.gz", f"scan-{seed}"
        assert (
            main(["reconstruct", "zero-filled", str(scans / f"{name}.h5"), "-o", str(alone)]) == 0
        )
        np.testing.assert_array_equal(
            nibabel.load(out / f"{name}.nii.gz").get_fdata(), nibabel.load(alone).get_fdata()
        )
    assert [(line["source"], line["status"], line["shape"]) for line in lines(out)] == [
        (f"scan-{seed}.h5", "reconstructed", [2, 1, 24, 20]) for seed in range(2)
    ]


def test_what_was_done_is_kept_until_something_changes(
    run: Run, scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run()
    before = lines(out)
    assert run() == f"0 reconstructed, 2 kept, 0 skipped in {out}"
    assert lines(out) == before
    (out / "scan-1.nii.gz").unlink()
    assert run().startswith("1 reconstructed, 1 kept")
    for anew in (
        ["--acceleration", "2"],
        ["--calibration", "6"],
        ["--coils", "2"],
    ):
        assert "made of another file, with other settings" in run(*anew, code=2)
        assert run(*anew, "--force").startswith("2 reconstructed, 0 kept")
        assert run(*anew, "--force").startswith("0 reconstructed, 2 kept")
    assert run("--force", method="cg-sense").startswith("2 reconstructed, 0 kept")
    write_scan(tiny_scan(seed=5), scans / "scan-0.h5")
    assert run("--force", method="cg-sense").startswith("1 reconstructed, 1 kept")


def test_a_broken_scan_stops_nothing_and_is_tried_again(
    run: Run, scans: Path, tmp_path: Path
) -> None:
    whole = (scans / "scan-0.h5").read_bytes()
    (scans / "scan-0.h5").write_bytes(whole[:1000])
    assert run().startswith("1 reconstructed, 0 kept, 1 skipped")
    broken, _ = lines(tmp_path / "out")
    assert (broken["status"], broken["shape"]) == ("skipped", None)
    assert str(broken["reason"]).startswith("not readable as HDF5")
    (scans / "scan-0.h5").write_bytes(whole)
    assert run().startswith("1 reconstructed, 1 kept, 0 skipped")
    for file in scans.iterdir():
        file.write_bytes(b"")
    assert "none of the scans could be reconstructed" in run(code=2)


def test_what_somebody_else_wrote_is_not_replaced(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    other = tmp_path / "out" / "scan-0.nii.gz"
    other.write_bytes(b"somebody's")
    assert run().startswith("1 reconstructed, 0 kept, 1 skipped")
    assert other.read_bytes() == b"somebody's"
    assert run("--force").startswith("1 reconstructed, 1 kept, 0 skipped")
    assert other.read_bytes() != b"somebody's"


def test_fastmris_submission(run: Run, scans: Path, tmp_path: Path) -> None:
    """Of a full scan, it is the root sum of squares of the coils where there is an object."""
    run("--format", "fastmri", method="cg-sense")
    with h5py.File(scans / "scan-0.h5") as raw, h5py.File(tmp_path / "out" / "scan-0.h5") as file:
        target, found = raw["reconstruction_rss"][()], file["reconstruction"][()]
    assert found.dtype == np.float32
    assert found.shape == target.shape
    object_ = target > 0.3 * target.max()
    assert np.median(found[object_] / target[object_]) == pytest.approx(1, abs=0.05)


def test_cmrxrecons_submission(run: Run, tmp_path: Path) -> None:
    run("--format", "cmrxrecon")
    assert loadmat(tmp_path / "out" / "scan-0.mat")["img4ranking"].shape[:3] == (8, 10, 2)


def test_a_folder_of_dicom_for_each(run: Run, tmp_path: Path) -> None:
    run("--format", "dicom")
    assert len([*(tmp_path / "out" / "scan-0").iterdir()]) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "fastmr"], "--format is not 'fastmr'"),
        (["--part", "slice0"], "--part is for one file"),
        (["--tag", "PatientID=1"], "--tag is for DICOM"),
    ],
)
def test_options_that_do_not_fit(run: Run, options: list[str], message: str) -> None:
    assert message in run(*options, code=2)


def test_another_noise_makes_other_images(run: Run, tmp_path: Path) -> None:
    noise = tmp_path / "noise.npy"
    rng = np.random.default_rng(0)
    np.save(noise, rng.normal(size=(3, 80)) + 1j * rng.normal(size=(3, 80)))
    assert run("--noise", str(noise)).startswith("2 reconstructed")
    assert run("--noise", str(noise)).startswith("0 reconstructed, 2 kept")
    np.save(noise, rng.normal(size=(3, 90)) + 1j * rng.normal(size=(3, 90)))
    assert run("--noise", str(noise), "--force").startswith("2 reconstructed")
    assert run("--force").startswith("2 reconstructed")
