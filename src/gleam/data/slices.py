"""`SlicesOf`: a volume as an example of slices across its readout, for networks of slices.

Along a readout that was sampled in full and transformed, the forward model couples no positions, so
each is a slice of the other two axes, with the volume's mask, noise level and scale.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from gleam.arrays import AnyTensor
from gleam.data.example import Example, Slice, in_slabs
from gleam.data.header import Header
from gleam.errors import BadInput

T = TypeVar("T")


class SlicesOf:
    """The slices of a volume; nothing is read but what is asked for.

    Args:
        volume: on disk, or being prepared.

    Raises:
        BadInput: its readout was not sampled in full.
    """

    def __init__(self, volume: Example) -> None:
        axis = volume.header.slab_axis
        if axis is None or not in_slabs(volume):
            raise BadInput(
                f"{volume.header.name}: is a volume whose readout was not sampled in full, or is "
                "not known, so it is no stack of slices for a network of slices; reconstruct it "
                "with wavelet, or with a network of volumes"
            )
        _, coils, frames, *_ = volume.shape
        self._volume, self._axis = volume, axis
        self.header = _header(volume.header, axis)
        self.shape = (volume.shape[axis], coils, frames, *_without(volume.shape[3:], axis))
        self.path: Path | None = volume.path
        self.sets, self.complete = volume.sets, volume.complete
        self.sampled = volume.sampled.squeeze(axis)

    def __getitem__(self, index: int) -> Slice:
        """The slice at a position along the readout."""
        one = self._volume.slab(range(index, index + 1))
        squeezed = partial(_squeezed, axis=self._axis)
        target = None if one.target is None else squeezed(one.target)
        return Slice(squeezed(one.kspace), squeezed(one.maps), target)


def taken(examples: Sequence[Example], volumes: str) -> list[Example]:
    """Examples as a recipe takes them.

    Args:
        examples: of any kind.
        volumes: see `gleam.recipe.DataRecipe`.

    Raises:
        BadInput: a volume is to be taken as slices, but is none.
    """
    return [
        SlicesOf(one) if volumes == "slices" and len(one.shape) == 6 else one for one in examples
    ]


def _header(header: Header, axis: int) -> Header:
    """The header of slices: their planes are the other two axes, their normal is the readout."""
    left = _without(range(-3, 0), axis)
    order = [-1 - left[1], -1 - left[0], -1 - axis, 3]  # of columns for x, y, the slice and 1
    return header.model_copy(
        update={
            "axes": tuple(a if a > axis else a + 1 for a in header.axes),
            "readout": None,
            "calibration": _without(header.calibration, axis),
            "matrix": _without(header.matrix, axis),
            "voxel": (*_without(header.voxel, axis), header.voxel[axis]),
            "affine": tuple(tuple(row[k] for k in order) for row in header.affine),
            "thickness": header.voxel[axis],
        }
    )


def _without(values: Sequence[T], axis: int) -> tuple[T, ...]:
    """All but one of the values of three axes."""
    return tuple(value for k, value in enumerate(values, -3) if k != axis)


def _squeezed(array: AnyTensor, axis: int) -> AnyTensor:
    return array.squeeze(axis)
