"""A scan without calibration lines: an image all the same, and a clear line of what needs more."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny import tiny_scan, undersampled

import gleam
from gleam.cli import main
from gleam.errors import BadInput
from gleam.formats import read_scan, write_scan


@pytest.fixture
def sparse(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    write_scan(
        undersampled(tiny_scan((24, 41)), (np.arange(41) % 3 == 0)[None, None]),
        tmp_path / "in/sparse.h5",
    )
    return tmp_path / "in" / "sparse.h5"


def expected(path: Path) -> NDArray[np.float32]:
    """The image by NumPy."""
    scan = read_scan(path)
    kspace = np.stack([scan.kspace[index][:, 0] for index in range(scan.kspace.shape[0])])
    axes = (-2, -1)
    image = np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(kspace, axes), axes=axes), axes)
    image = np.sqrt((np.abs(image) ** 2).sum(1)) * np.sqrt(np.prod(kspace.shape[-2:]))
    start = (image.shape[1] - scan.matrix[0]) // 2
    return image[:, start : start + scan.matrix[0]].astype(np.float32)


def test_zero_filling_needs_no_maps(
    sparse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "image.npy"
    assert main(["reconstruct", "zero-filled", str(sparse), "-o", str(out)]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "is the root of the sum of squares of the coils' images" in line
    assert "--reference" in line
    image = np.load(out)
    np.testing.assert_allclose(image[:, 0], expected(sparse), rtol=1e-4, atol=1e-6)
    for other in ("image", "image.png"):  # a DICOM series, a picture
        assert main(["reconstruct", "zero-filled", str(sparse), "-o", str(tmp_path / other)]) == 0


def test_others_say_what_does(
    sparse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = str(tmp_path / "image.npy")
    for command in (
        ["reconstruct", "wavelet", str(sparse), "-o", image],
        ["reconstruct", "gleam-2d", str(sparse), "-o", image, "--adapt"],
        ["check", str(sparse), "zero-filled", "-o", str(tmp_path / "check.json")],
        ["adapt", "gleam-2d", str(sparse), "--out", str(tmp_path / "run")],
        ["prepare", str(sparse), str(tmp_path / "out")],
    ):
        assert main(command) == 2
        said = capsys.readouterr()
        line = said.err.splitlines()[-1]
        assert "`gleam reconstruct zero-filled` still makes an image" in line
        assert "--reference" in line
    assert main(["inspect", str(sparse)]) == 0
    assert "`gleam reconstruct zero-filled` still makes an image" in capsys.readouterr().out
    undersample = ["--acceleration", "2", "-o", image]
    assert main(["reconstruct", "zero-filled", str(sparse), *undersample]) == 2


def test_of_a_folder_too(sparse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_scan(tiny_scan((24, 40)), sparse.with_name("full.h5"))
    out = tmp_path / "out"
    assert main(["reconstruct", "zero-filled", str(sparse.parent), "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert "2 reconstructed, 0 kept, 0 skipped" in said
    assert "warning sparse.h5: zero-filled: is the root of the sum of squares" in said
    assert (out / "sparse.nii.gz").exists()


def test_in_python(sparse: Path) -> None:
    for data in (sparse, gleam.load(sparse)):
        image = gleam.reconstruct(data, "zero-filled")
        np.testing.assert_allclose(image.image[:, 0], expected(sparse), rtol=1e-4, atol=1e-6)
        (doubt,) = image.doubts
        assert "reference=" in doubt
        with pytest.raises(BadInput, match=r"has no fully sampled centre .*reference="):
            gleam.reconstruct(data, "cg-sense")
