"""Which acquired samples are held out: never those of the centre, which calibrate the scan.

Samples are drawn in hybrid space: along an axis that was sampled in full and decoded, the mask may
vary while F does not run there. Of a scan undersampled along one axis, few lines lie outside its
centre, and a line need not be held out whole.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

Pattern = Literal["lines", "segments", "samples"]
PATTERNS: tuple[Pattern, ...] = get_args(Pattern)
SEGMENT = 16  # positions of a decoded axis that are held out together

Samples = Bool[Tensor, "#frame *#space"]


def centre(space: Sequence[int], axes: Sequence[int], calibration: Sequence[int]) -> Samples:
    """The calibration region, shift-free along the axes in k-space, of length 1 along others.

    Args:
        space: sizes of the space axes.
        axes: those in k-space (x = −1, y = −2, z = −3).
        calibration: size of the region along each space axis.
    """
    inside = torch.ones([1] * (1 + len(space)), dtype=torch.bool)
    for axis in axes:
        length, size = space[axis], calibration[axis]
        along = torch.zeros(length, dtype=torch.bool)
        along[length // 2 - size // 2 : length // 2 - size // 2 + size] = True
        shape = [1] * (1 + len(space))
        shape[axis] = length
        inside = inside & torch.fft.ifftshift(along).reshape(shape)
    return inside


def held_out(
    sampled: Samples,
    within: Samples,
    axes: Sequence[int],
    space: Sequence[int],
    share: float,
    pattern: Pattern,
    seed: Sequence[int],
) -> Samples:
    """Draw samples to be held out.

    Args:
        sampled: what was acquired; shift-free along `axes`, of length 1 where it does not vary.
        within: the centre, of which none is taken.
        axes: the space axes in k-space.
        space: sizes of the space axes.
        share: of the samples outside the centre, on average; 0 to 1.
        pattern: lines: whole, along all decoded axes. segments: 16 positions of a line along the
            last decoded axis. samples: each by itself.
        seed: numbers that it depends on.

    Returns:
        Part of `sampled`, without any of `within`; (frame, *space), axes of length 1 where it does
        not vary.
    """
    random = np.random.default_rng([*seed])
    frames = sampled.shape[0]
    decoded = [axis for axis in range(-len(space), 0) if axis not in axes]
    shape = [frames, *(space[axis] if axis in axes else 1 for axis in range(-len(space), 0))]
    if pattern == "samples":
        shape = [frames, *space]
    elif pattern == "segments" and decoded:
        shape[decoded[-1]] = -(-space[decoded[-1]] // SEGMENT) + 1
    drawn = torch.from_numpy(random.random(shape) < share)
    if pattern == "segments" and decoded:
        axis = decoded[-1]
        first = int(random.integers(SEGMENT))
        drawn = drawn.repeat_interleave(SEGMENT, axis).narrow(axis, first, space[axis])
    return drawn & sampled & ~within
