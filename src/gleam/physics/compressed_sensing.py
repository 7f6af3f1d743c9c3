"""Compressed sensing: the image that agrees with the data and is simple in a chosen sense.

argmin ½‖A x − y‖² + weight · P(x) by FISTA (Beck & Teboulle, SIAM J. Imaging Sci. 2, 2009), whose
steps have length 1, since AᴴA has no eigenvalue above 1. P enters by its proximal map alone,
argmin ½‖x − z‖² + weight · P(x). Of a volume that is read in slabs only the image is held: its data
are asked slab by slab, while P is that of the whole. With partial Fourier each step also draws to
the phase of the centre (`gleam.physics.partial_fourier`).

Weights are in units of the image, whose brightest parts are about 1. Unless one is given, they
follow each scan's noise level. Images are zero where the maps are: the data say nothing there, and
what P would put there is no image.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from gleam.arrays import AnyTensor, Image
from gleam.errors import BadInput
from gleam.physics.baselines import sliding_window
from gleam.physics.measurement import Measured, Measurement, check_measured
from gleam.physics.partial_fourier import constraint
from gleam.physics.series import BLOCK, TotalVariation, shrink_blocks
from gleam.physics.wavelet import LEVELS, shrink

Proximal = Callable[[Image], Image]

# Grids that move from step to step leave each image their own pattern: the mean of the last images
# has less of it (0.4 to 0.8 dB, Poisson discs on two simulated slices and a brain).
SHIFTED = 20


@dataclass(frozen=True)
class Following:
    """A weight that follows the noise level: least + slope · σ^1.5, and `unknown` where σ is.

    Noise alone would ask for one in proportion to σ. But the noisier an image, the fewer of its
    details are seen at all; and the least removes what undersampling adds where there is no noise.
    """

    least: float
    slope: float
    unknown: float

    def weight(self, measurement: Measured, given: float | None) -> float | AnyTensor:
        """The one that is given, or one for each example, which broadcasts against images."""
        if given is not None:
            return given
        noise, image = measurement.noise, measurement.adjoint
        if noise is None:
            return self.unknown
        weight = self.least + self.slope * noise.to(image.real.dtype) ** 1.5
        weight = torch.where(noise.isnan(), self.unknown, weight)
        return weight.reshape(-1, *[1] * (image.ndim - 1))


# Chosen on simulated scans of three families, 4× equispaced and 8× Poisson-disc masks, SNR 5 to
# 2000, by the mean loss of PSNR against each one's best weight. Where the noise is unknown, BART's
# documentation's, which is good at SNR 30 to 100.
WAVELET = Following(least=0.0016, slope=1.1, unknown=0.005)


def wavelet(measurement: Measured, weight: float | None = None, steps: int = 60) -> Image:
    """P(x) = ‖W x‖₁, of the wavelets of each frame and map set (Lustig et al., MRM 58, 2007).

    >>> gleam.wavelet(A, weight=0.01).shape  # (batch, set, frame, *space)
    torch.Size([2, 1, 1, 32, 48])

    Args:
        measurement: of any dimension.
        weight: more makes the image smoother; None follows the noise level.
        steps: of FISTA.

    Returns:
        (batch, set, frame, *space) complex64, in the measurement's intensities.

    Raises:
        BadInput: it is no measurement.
    """
    check_measured(measurement, "wavelet")
    space, threshold = measurement.adjoint.ndim - 3, WAVELET.weight(measurement, weight)
    axes, shifts = tuple(range(-space, 0)), _shifts(space, 2**LEVELS)
    return _fista(measurement, lambda z: shrink(z, threshold, axes, next(shifts)), steps, SHIFTED)


# Chosen as above, on simulated hearts and k-t masks, 4× and 8×. Steps of the next two were chosen
# on three simulated hearts (64², 16 frames, 5 coils, SNR 40 to 150).
TEMPORAL_TV = Following(least=0.0026, slope=2.3, unknown=0.005)
LOW_RANK = Following(least=0.026, slope=7.0, unknown=0.02)


def temporal_tv(measurement: Measured, weight: float | None = None, steps: int = 40) -> Image:
    """P(x) = Σ |x_{t+1} − x_t|, total variation over time (Feng et al., MRM 72, 2014).

    Args:
        measurement: of a series.
        weight: more makes frames more alike; None follows the noise level.
        steps: of FISTA.

    Raises:
        BadInput: there is one frame only.
    """
    _check_series(measurement, "temporal-tv")
    return _fista(measurement, TotalVariation(TEMPORAL_TV.weight(measurement, weight)), steps)


def low_rank(measurement: Measured, weight: float | None = None, steps: int = 30) -> Image:
    """P(x) = Σ_block ‖x_block‖, nuclear norms (Zhang, Pauly & Levesque, MRM 73, 2015).

    The matrix of a block has a row for each of its pixels and a column for each frame.

    Args:
        measurement: of a series.
        weight: more makes pixels' courses over time more alike; None follows the noise level.
        steps: of FISTA.

    Raises:
        BadInput: there is one frame only.
    """
    _check_series(measurement, "low-rank")
    shifts, loss = (
        _shifts(measurement.adjoint.ndim - 3, BLOCK),
        LOW_RANK.weight(measurement, weight),
    )
    return _fista(measurement, lambda z: shrink_blocks(z, loss, next(shifts)), steps, SHIFTED)


@torch.no_grad()
def _fista(measurement: Measured, proximal: Proximal, steps: int, averaged: int = 1) -> Image:
    """The mean of the last images, so many."""
    x = sliding_window(measurement)  # of one frame, CG-SENSE
    held = constraint(x, measurement.mask, measurement.axes)
    ahead, t = x, 1.0
    total = torch.zeros_like(x)
    for step in range(steps):
        lower = measurement.advance(_descended, ahead)
        before, x = x, proximal(lower if held is None else held.drawn(lower))
        previous, t = t, (1 + math.sqrt(1 + 4 * t * t)) / 2
        ahead = torch.add(x, x - before, alpha=(previous - 1) / t)
        if step >= steps - averaged:
            total += x / averaged
    return measurement.advance(_seen, total)


def _descended(x: Image, measurement: Measurement) -> Image:
    """One step down the gradient of ½‖A x − y‖²."""
    return x - measurement.sense.normal(x) + measurement.adjoint


def _seen(x: Image, measurement: Measurement) -> Image:
    """The part of x that the coils see."""
    return x * (measurement.sense.maps != 0).any(2).to(x.device)


def _shifts(axes: int, reach: int) -> Iterator[tuple[int, ...]]:
    """Random, and the same at each call, so that images are too."""
    generator = torch.Generator().manual_seed(0)
    while True:
        yield tuple(torch.randint(reach, (axes,), generator=generator).tolist())


def _check_series(measurement: Measured, name: str) -> None:
    if measurement.adjoint.shape[2] == 1:
        raise BadInput(f"{name}: is for series, and this scan has one frame; take wavelet")
