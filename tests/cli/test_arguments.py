import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from tiny import tiny_scan

from gleam.cli import main
from gleam.formats import write_scan


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """One slice as a .npy file (coil, y, x) and as a .mat file (x, y, coil) beside other arrays."""
    kspace = tiny_scan(slices=1, oversampling=1).kspace[0][:, 0]
    (tmp_path / "npy").mkdir()
    np.save(tmp_path / "npy" / "scan.npy", kspace)
    (tmp_path / "mat").mkdir()
    arrays = {"raw": kspace.T, "twice": 2 * kspace.T, "mask": np.ones((4, 4))}
    scipy.io.savemat(tmp_path / "mat" / "scan.mat", arrays)
    return tmp_path


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def refusal(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run(*arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_an_array_is_reconstructed_whatever_its_axes(scans: Path) -> None:
    npy, mat = scans / "npy" / "scan.npy", scans / "mat" / "scan.mat"
    axes = ["--axes", "coil y:readout x"]
    assert run("reconstruct", "cg-sense", npy, "-o", scans / "a.npy", *axes) == 0
    axes = ["--axes", "x, y:readout, coil", "--variable", "raw"]
    assert run("reconstruct", "cg-sense", mat, "-o", scans / "b.npy", *axes) == 0
    image = np.load(scans / "a.npy")
    assert image.shape == (1, 1, 24, 20)
    np.testing.assert_array_equal(np.load(scans / "b.npy"), image)


def test_arrays_prepared_with_other_axes_are_prepared_again(
    scans: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def status(axes: str, *more: str, code: int = 0) -> Any:
        out = scans / "prepared"
        assert run("prepare", scans / "npy", out, "--axes", axes, "--json", *more) == code
        return json.loads(capfd.readouterr().out)[0]["status"]

    assert [status(a) for a in ("coil y x", "coil y x")] == ["prepared", "kept"]
    assert status("coil x y", code=2) == "skipped"
    assert status("coil x y", "--force") == "prepared"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--axes", "x y cil"], "did you mean coil?"),
        (["--axes", "x y coil"], "say by --variable which is k-space"),
        (["--axes", "x y", "--variable", "raw"], "give each axis longer than 1 its word"),
        (["--axes", "x y coil", "--variable", "rew"], "known are raw, twice"),
        (["--variable", "raw"], "does not say what the axes of 'raw' (20 × 24 × 3) mean"),
    ],
)
def test_words_that_do_not_fit(
    scans: Path, capfd: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    out = scans / "image.npy"
    path = scans / "mat" / "scan.mat"
    assert says in refusal(capfd, "reconstruct", "cg-sense", path, "-o", out, *options)
    assert not out.exists()


def test_files_that_name_their_own_axes(scans: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_scan(tiny_scan(), scans / "scan.h5")
    command = ["reconstruct", "cg-sense", scans / "scan.h5", "-o", scans / "image.npy"]
    assert "leave --axes" in refusal(capfd, *command, "--axes", "coil y x")
