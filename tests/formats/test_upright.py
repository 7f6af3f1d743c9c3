"""Every voxel holds its own place in the patient, so that what is shown tells which way it lies."""

from itertools import permutations, product

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from gleam.formats import Volume, image_writer
from gleam.formats.scan import centred_affine
from gleam.formats.upright import upright

SHAPE, VOXEL = (6, 7, 8), (3.0, 2.0, 1.5)  # z y x
TILT = Rotation.from_euler("xyz", [12, -9, 15], degrees=True).as_matrix()
TURNS = [
    tilt @ (np.eye(3)[:, order] * signs)
    for order in permutations(range(3))
    for signs in product([1, -1], repeat=3)
    for tilt in (np.eye(3), TILT)
]
# In each plane, of L, P and S: which grows downwards, and which to the right; −1 is up.
SHOWN = {
    "transverse": ((1, 1), (0, 1)),
    "coronal": ((2, -1), (0, 1)),
    "sagittal": ((2, -1), (1, 1)),
}


def placed(turn: np.ndarray) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(VOXEL[::-1])
    affine[:3, 3] = (5.0, -60.0, 20.0)
    return affine


def places(affine: np.ndarray) -> np.ndarray:
    """(L P S, z, y, x) in mm."""
    z, y, x = np.indices(SHAPE)
    return np.tensordot(affine[:3], np.stack([x, y, z, np.ones_like(x)]), 1)


@pytest.mark.parametrize("turn", TURNS)
def test_the_head_is_up_and_left_and_right_are_radiological(turn: np.ndarray) -> None:
    affine = placed(turn)
    found = upright(affine, SHAPE, VOXEL, 1)
    assert found is not None
    assert {plane.name for plane in found} == set(SHOWN)
    for axis, plane in enumerate(found):
        cut = places(affine).take(2, axis + 1)
        shown = plane.shown(cut)
        assert torch.equal(plane.shown(torch.from_numpy(cut)), torch.from_numpy(shown.copy()))
        for along, (direction, sign) in zip((1, 2), SHOWN[plane.name], strict=True):
            assert (np.diff(shown[direction], axis=along - 1) * sign > 0).all()


def test_what_is_not_placed_is_not_turned() -> None:
    assert upright(centred_affine(SHAPE, VOXEL, 1), SHAPE, VOXEL, 1) is None
    assert upright(centred_affine((7, 8), (2.0, 1.5, 3.0), 6), (7, 8), (2.0, 1.5, 3.0), 6) is None


@pytest.mark.parametrize("slices", [1, 6])
def test_pictures_show_it_so(tmp_path, slices: int) -> None:
    affine = placed(-np.eye(3)[:, [1, 2, 0]])  # sagittal slices, upside down, front at the right
    height = places(affine)[2].astype(np.complex64)
    image = height[None, None] if slices == 1 else height[:, None]
    volume = Volume(image - image.min(), VOXEL if slices == 1 else (2.0, 1.5, 3.0), affine)
    image_writer(tmp_path / "a.png")(volume, tmp_path / "a.png")
    tile = np.asarray(Image.open(tmp_path / "a.png"), int)[: SHAPE[1], : SHAPE[2]]
    assert (np.diff(tile, axis=0) < 0).all()
    assert (np.diff(tile, axis=1) == 0).all()
