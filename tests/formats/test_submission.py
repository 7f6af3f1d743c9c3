"""What the challenges' own code would find in the files."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import loadmat

from gleam.errors import BadInput
from gleam.formats import Volume, image_writer
from gleam.formats.scan import centred_affine


def volume(*shape: int, name: str = "scan") -> Volume:
    image = np.random.default_rng(0).normal(size=(*shape, 2)) @ [1, 1j]
    voxel = (1.0, 1.0, 1.0)
    affine = centred_affine(shape[2:], voxel, shape[0])
    return Volume(image.astype(np.complex64), voxel, affine, name=name)


def test_fastmri(tmp_path: Path) -> None:
    one = volume(3, 1, 12, 10)
    image_writer(tmp_path / "file1.h5", "fastmri")(one, tmp_path / "file1.h5")
    with h5py.File(tmp_path / "file1.h5") as file:
        assert [*file] == ["reconstruction"]
        assert file["reconstruction"].dtype == np.float32
        np.testing.assert_allclose(file["reconstruction"], abs(one.image[:, 0]), rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 4, 12, 10), (1, 1, 8, 12, 10)])
def test_fastmri_has_no_series_and_no_volumes(shape: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="static 2D"):
        image_writer(tmp_path / "x.h5", "fastmri")(volume(*shape), tmp_path / "x.h5")
    assert not [*tmp_path.iterdir()]


def matlabs(x: float) -> int:
    """`round` of MATLAB, away from zero."""
    return int(np.floor(x + 0.5))


def run4ranking(image: np.ndarray, name: str) -> np.ndarray:
    """(x, y, slice, frame) magnitudes: the challenge's rules with MATLAB's indices, from 1."""
    sx, sy, sz, t = image.shape
    slices = range(1, sz + 1) if sz < 3 else range(matlabs(sz / 2) - 1, matlabs(sz / 2) + 1)
    frames = range(1, t + 1 if "map" in name else min(t, 3) + 1)

    def crop(n: int, m: int) -> list[int]:
        first = int(np.floor(n / 2)) + 1 + int(np.ceil(-m / 2))
        last = int(np.floor(n / 2)) + int(np.ceil(m / 2))
        return list(range(first, last + 1))

    index = (crop(sx, matlabs(sx / 3)), crop(sy, matlabs(sy / 2)), list(slices), list(frames))
    return image[np.ix_(*[[i - 1 for i in one] for one in index])]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("cine_sax", (10, 12, 64, 41)),
        ("cine_lax_kus_Uniform4", (2, 5, 31, 30)),
        ("cine_lax", (3, 4, 20, 22)),
        ("T1map", (5, 9, 50, 37)),
        ("T2map", (1, 3, 13, 18)),
        ("aorta_sag", (7, 2, 25, 26)),
        ("tagging", (1, 4, 9, 7)),
    ],
)
def test_cmrxrecon(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    one = volume(*shape, name=name)
    path = tmp_path / f"{name}.mat"
    image_writer(path, "cmrxrecon")(one, path)
    found = loadmat(path)
    assert [key for key in found if not key.startswith("_")] == ["img4ranking"]
    expected = run4ranking(abs(one.image).transpose(2, 3, 0, 1), name)
    assert found["img4ranking"].dtype == np.float32
    np.testing.assert_allclose(found["img4ranking"].reshape(expected.shape), expected, rtol=1e-6)


def test_cmrxrecons_black_blood_has_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    image_writer(path, "cmrxrecon")(volume(4, 1, 9, 8, name="blackblood"), path)
    assert loadmat(path)["img4ranking"].shape == (3, 4, 2)


def test_a_format_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="'fastmr'"):
        image_writer(tmp_path / "x.h5", "fastmr")
