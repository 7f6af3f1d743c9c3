"""Kinds of data: of scans, and of the patterns in which k-space is sampled."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from gleam.data.example import Example
from gleam.errors import BadInput
from gleam.formats.region import acceleration, bounding_box
from gleam.physics.sampling import DIMENSIONS, Kind
from gleam.recipe import Recipe

ScanKind = Literal["2D slices", "2D series", "volumes", "series of volumes"]

# The kind that volumes are as slices across their readout.
AS_SLICES: dict[ScanKind, ScanKind] = {"volumes": "2D slices", "series of volumes": "2D series"}

_FULL = 1.05  # times accelerated at most, a scan counts as fully sampled


def kind_of(example: Example) -> ScanKind:
    """The kind of an example: one frame or many, of slices or volumes."""
    return kind_of_shape(example.shape[2:])


def kind_of_shape(shape: Sequence[int]) -> ScanKind:
    """The kind of what has a shape (frame, *space)."""
    frames, *space = shape
    if len(space) == 2:
        return "2D slices" if frames == 1 else "2D series"
    return "volumes" if frames == 1 else "series of volumes"


def check_kinds(examples: Sequence[Example], recipe: Recipe) -> None:
    """Make sure that the network of a recipe is made for the kinds of its examples.

    A convolution over three axes needs a third one. One over two takes the planes of a volume one
    by one, which a recipe says with `data.slab`, if volumes are not taken as slices anyway.

    Raises:
        BadInput: for one of them it is not.
    """
    dimensions, field = recipe.network.convolves
    three = dimensions == 3
    for example in examples:
        name, kind = example.header.name, kind_of(example)
        if three and kind == "2D slices":
            raise BadInput(
                f"{name}: holds 2D slices of one frame, but {field} is 3, for volumes and series; "
                "set it to 2"
            )
        if not three and "volumes" in kind and recipe.data.slab is None:
            raise BadInput(
                f"{name}: holds {kind}, but {field} is 2; set it to 3, or data.volumes to slices "
                "to learn from slices across their readout, or data.slab to learn from planes of "
                "slabs of them"
            )


def acceleration_of(example: Example) -> float:
    """Acceleration factor of a scan; what was never acquired does not count."""
    return acceleration(_sampled(example))


def pattern_of(example: Example) -> str | None:
    """The pattern in which a scan was undersampled; None if it was not. Compare
    `pattern_of_mask`."""
    sampled = _sampled(example)
    if acceleration(sampled) < _FULL:
        return None
    inside = sampled[:, *bounding_box(sampled)]
    frame, *space = [bool((inside != inside.take([0], a)).any()) for a in range(inside.ndim)]
    return _pattern(sum(space), frame)


def pattern_of_mask(kind: Kind) -> str:
    """The pattern in which masks of a kind sample."""
    return _pattern(DIMENSIONS[kind], kind.startswith("kt-"))


def _pattern(axes: int, changes: bool) -> str:
    what = "lines of one axis" if axes < 2 else "points of two axes"
    return f"other {what} in every frame" if changes else what


def _sampled(example: Example) -> NDArray[np.bool_]:
    """(frame, *space), centred."""
    sampled: NDArray[np.bool_] = torch.fft.fftshift(
        example.sampled, dim=example.header.axes
    ).numpy()
    return sampled
