"""The noise level of a scan, read off its calibration region."""

import math

import torch
from jaxtyping import Complex
from torch import Tensor

from gleam.physics.coils import compression_matrix, mix

KERNEL = 3  # width of the patches
COILS = 8  # virtual coils that take part, enough to hold the signal
SHARE = 8  # one in so many singular values, the smallest, is noise alone


def noise_level(calibration: Complex[Tensor, "slice coil *box"]) -> float:
    """Standard deviation of the complex noise in a k-space sample, E|n|² = σ².

    Patches of multi-coil k-space lie in a space of few dimensions (see `gleam.physics.espirit`);
    what lies outside it is noise. So the smallest singular values of the calibration matrix are
    those of noise, and they are compared with those that unit noise of the same shape gives. No
    silent corner of image or k-space is needed, and it works on undersampled scans. The result
    is somewhat too high where signal reaches into the last dimensions: by less than half at
    signal-to-noise ratios up to 50 and five coils or more, by much with fewer than four coils.

    Args:
        calibration: the fully sampled centre of k-space; noise white and equal in all coils.
    """
    if calibration.shape[1] > COILS:
        calibration = mix(calibration, compression_matrix(calibration, COILS))
    generator = torch.Generator().manual_seed(0)
    unit = torch.randn(calibration.shape, dtype=calibration.dtype, generator=generator)
    return math.sqrt(_smallest(calibration) / _smallest(unit))


def _smallest(calibration: Tensor) -> float:
    """Mean over slices of the smallest squared singular values of the calibration matrices."""
    patches, dims = calibration, calibration.ndim - 2
    for axis, size in enumerate(calibration.shape[2:], 2):
        patches = patches.unfold(axis, min(KERNEL, size), 1)
    matrices = patches.movedim(1, 1 + dims).flatten(1 + dims).flatten(1, dims)
    power = torch.linalg.svdvals(matrices).square()
    return float(power[:, -max(1, power.shape[1] // SHARE) :].mean())
