"""Orientation of an image's planes on a screen: the head points up, left and right are
radiological.

    transverse   the front is up, the patient's right on the left
    coronal      the head is up, the patient's right on the left
    sagittal     the head is up, the front on the left

Oblique images are shown along their own axes, each taken for the direction nearest to it. In LPS
this is one rule: of the two directions of a plane, the later one goes along the rows' order, and
each grows rightwards and downwards, but for the one to the head, which grows upwards.
"""

from dataclasses import dataclass
from itertools import permutations
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gleam.formats.scan import is_placed

CAPTION = (
    "The head points up. The patient's right is on the left of transverse and coronal planes, and "
    "the front on the left of sagittal ones: the radiological convention."
)
_NAMES = ("sagittal", "coronal", "transverse")  # their normals are the axes of LPS
_HEAD = 2

T = TypeVar("T", bound=Any)  # an array, or a tensor


@dataclass(frozen=True)
class Plane:
    """One of an image's three, which has two axes.

    Attributes:
        name: sagittal, coronal or transverse.
        transposed: whether rows and columns change places.
        flipped: then, whether the order of rows, and of columns, is turned round.
    """

    name: str
    transposed: bool
    flipped: tuple[bool, bool]

    def shown(self, planes: T) -> T:
        """Planes (…, rows, columns) as they are looked at."""
        if self.transposed:
            planes = planes.swapaxes(-2, -1)
        for axis, flip in zip((-2, -1), self.flipped, strict=True):
            if flip:
                backwards = list(reversed(range(planes.shape[axis])))
                planes = planes[(..., backwards, *[slice(None)] * (-1 - axis))]
        return planes


Upright = tuple[Plane, Plane, Plane]


def upright(
    affine: NDArray[np.float64], matrix: tuple[int, ...], voxel: tuple[float, ...], slices: int
) -> Upright | None:
    """The planes across z (or the slice of a 2D scan), y and x; None where the place is not known.

    Args:
        affine, matrix, voxel: see `Scan`.
        slices: of a 2D scan; 1 for 3D.
    """
    if not is_placed(affine, matrix, voxel, slices):
        return None
    axes = affine[:3, 2::-1]  # of z, y, x, in LPS
    lengths = np.linalg.norm(axes, axis=0)
    cosines = axes / np.where(lengths > 0, lengths, 1)
    nearest = max(
        permutations(range(3)), key=lambda order: sum(abs(cosines[order, range(3)]))
    )  # direction of each axis
    grows = [bool(cosines[direction, axis] >= 0) for axis, direction in enumerate(nearest)]

    def plane(across: int) -> Plane:
        rows, columns = (axis for axis in range(3) if axis != across)
        transposed = nearest[rows] < nearest[columns]
        if transposed:
            rows, columns = columns, rows
        flipped = (grows[rows] == (nearest[rows] == _HEAD), not grows[columns])
        return Plane(_NAMES[nearest[across]], transposed, flipped)

    return plane(0), plane(1), plane(2)
