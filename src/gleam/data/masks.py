"""Masks of examples: which of what was acquired is kept, drawn by a recipe and a seed."""

import zlib

import numpy as np
import torch
from jaxtyping import Bool, Shaped
from numpy.typing import NDArray
from torch import Tensor

from gleam.data.example import Example
from gleam.errors import BadInput
from gleam.formats.region import bounding_box
from gleam.physics.fourier import Axes
from gleam.physics.sampling import DIMENSIONS, draw
from gleam.recipe import MaskRecipe


def mask_seed(name: str) -> int:
    """The seed of a scan's one mask in validation and test."""
    return zlib.crc32(name.encode())


def sampling(example: Example, seed: int, mask: MaskRecipe | None) -> Bool[Tensor, "frame *space"]:
    """The mask of what is sampled, (frame, *space) with axes of length 1; shift-free order.

    A mask takes its share of what was acquired: lines a vendor filled with zeros do not count, nor
    do corners beyond an ellipse. Lines count alike, be they shorter at the ellipse's ends or not.

    Raises:
        BadInput: the calibration region alone exceeds that share, or it is more than the shutter
            holds; or there are no frames for a mask over k and t.
    """
    sampled = example.sampled
    if mask is None:
        return sampled
    header, (_, _, frames, *space) = example.header, example.shape
    if mask.kind.startswith("kt-") and frames == 1:
        raise BadInput(
            f"{header.name}: has one frame, but a {mask.kind} mask differs from frame to frame; "
            "choose another mask.kind"
        )
    axes = mask_axes(header.readout, len(space), DIMENSIONS[mask.kind])
    shape = tuple(space[a] for a in axes)
    centre = tuple(header.calibration[a] for a in axes)
    some = _somewhere(sampled, axes, shape)
    limits = bounding_box(some[None])
    try:
        drawn = draw(
            mask.kind,
            shape,
            mask.acceleration,
            centre,
            seed,
            tuple((edges.start, edges.stop) for edges in limits),
            frames,
            mask.shutter,
            None if some[limits].all() else some.tobytes(),
        )
    except BadInput as error:
        raise BadInput(
            f"{header.name}: {error}; --calibration sets its size (of gleam prepare, where that "
            "made the example)"
        ) from error
    pattern = torch.from_numpy(np.fft.ifftshift(drawn, tuple(range(-len(axes), 0))))
    whole = [space[a] if a in axes else 1 for a in space_axes(sampled)]
    return sampled & pattern.reshape(-1, *whole)  # one for all frames, or one for each


def _somewhere(sampled: Tensor, axes: Axes, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Positions along some axes at which anything was acquired, (*shape) bool, in centred order."""
    others = [a for a in space_axes(sampled) if a not in axes]
    along = sampled.any(0).amax(dim=others) if others else sampled.any(0)
    centred: NDArray[np.bool_] = torch.fft.fftshift(along.expand(shape)).numpy()
    return centred


def mask_axes(readout: int | None, dims: int, wanted: int) -> Axes:
    """The axes a retrospective mask varies along.

    They are the last phase-encoding ones; where those do not suffice (a 2D mask on a 2D slice)
    the readout is one of them.
    """
    phase = [a for a in range(-dims, 0) if a != readout]
    chosen = phase[-wanted:] if len(phase) >= wanted else list(range(-dims, 0))[-wanted:]
    return tuple(chosen)


def varying(mask: Shaped[Tensor, "frame *space"]) -> list[int]:
    """The space axes that a mask (frame, *space) varies along."""
    return [a for a in space_axes(mask) if not (mask == mask.narrow(a, 0, 1)).all()]


def space_axes(mask: Shaped[Tensor, "frame *space"]) -> range:
    """The space axes of a mask (frame, *space), counted from the last."""
    return range(1 - mask.ndim, 0)
