"""One simulated scan: anatomy seen by coils, encoded, with noise."""

import math

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.scan import Scan, centred_affine
from gleam.simulation.anatomy import draw_anatomy
from gleam.simulation.coils import draw_coils, root_sum_of_squares

_FINER = 2  # grid points of the anatomy per voxel, along every axis
_SMALLEST = 16  # voxels along an axis


def simulate_scan(
    shape: tuple[int, ...],
    coils: int | tuple[int, int],
    slices: int,
    snr: float | tuple[float, float],
    seed: int | tuple[int, ...],
    oversampling: int = 2,
    name: str = "simulated",
) -> Scan:
    """A fully sampled scan of procedural anatomy; every slice shows another one.

    The anatomy lives on a grid twice as fine as the voxels, and k-space is the central part of its
    spectrum, so the image has partial volume and Gibbs ringing as real ones have. The readout is
    the first axis. White complex Gaussian noise is added to k-space.

    Args:
        shape: voxels, `y x` or `z y x`.
        coils: how many, or the (lowest, highest) number to draw from.
        slices: how many; 1 when `shape` is `z y x`.
        snr: signal-to-noise ratio, or the (lowest, highest) to draw from, uniform in its logarithm.
            Signal: the mean of the noise-free root-sum-of-squares image over the object, which is
            where it exceeds a tenth of its maximum, averaged over slices. Noise: the standard
            deviation of the real (or the imaginary) part of every voxel of every coil's fully
            sampled image. It is also the signal-to-noise ratio, so defined, of the SENSE
            combination, where the sensitivities' root sum of squares is 1.
        seed: the same seed gives the same scan.
        oversampling: field of view along the readout over that of `shape`.
        name: name of the scan.

    Raises:
        BadInput: a size or ratio that cannot be simulated.
    """
    fewest, most = coils if isinstance(coils, tuple) else (coils, coils)
    worst, best = snr if isinstance(snr, tuple) else (snr, snr)
    _check(shape, (fewest, most), slices, (worst, best), oversampling)
    rng = np.random.default_rng(seed)
    count = int(rng.integers(fewest, most, endpoint=True))
    ratio = worst * (best / worst) ** rng.random()
    field_of_view, thickness = rng.uniform(180, 260), rng.uniform(2, 5)

    space = (shape[0] * oversampling, *shape[1:])
    fine = tuple(n * _FINER for n in shape)
    maps = draw_coils(fine, count, rng)
    kspace = np.empty((slices, count, 1, *space), np.complex64)
    signal = np.empty(slices)
    for index in range(slices):
        anatomy = draw_anatomy(fine, rng)
        for coil in range(count):
            kspace[index, coil, 0] = encode(anatomy * maps[coil], space)
        signal[index] = _signal(kspace[index, :, 0])
    deviation = np.float32(signal.mean() / ratio)
    for part in (kspace.real, kspace.imag):
        part += deviation * rng.standard_normal(part.shape, dtype=np.float32)

    voxel = (field_of_view / max(shape),) * len(shape)
    if len(shape) == 2:
        voxel = (*voxel, thickness)
    return Scan(
        name=name,
        kspace=kspace,
        sampled=np.ones((1,) * (1 + len(shape)), bool),
        readout=0,
        matrix=shape,
        voxel=voxel,
        affine=centred_affine(shape, voxel, slices),
        calibration=tuple((0, n) for n in space),
        contrast={"acquisition": "simulated", "SNR": float(ratio)},
    )


def encode(image: NDArray[np.complex64], space: tuple[int, ...]) -> NDArray[np.complex64]:
    """Centred k-space of size `space` of an image on the fine grid.

    An axis of k-space that has more samples than the image has voxels sees a field of view wider
    by as much, empty outside the image. The scale is such that the orthonormal inverse transform
    of the result is the image, band-limited, voxel by voxel.
    """
    for axis in reversed(range(image.ndim)):
        wide = max(image.shape[axis], space[axis] * _FINER)
        image = scipy.fft.ifftshift(_centred(image, axis, wide), axis)
        image = scipy.fft.fft(image, axis=axis, norm="forward", overwrite_x=True)
        image = _centred(scipy.fft.fftshift(image, axis), axis, space[axis])
        image = image * np.float32(math.sqrt(space[axis]))
    return image


def _centred(array: NDArray[np.complex64], axis: int, size: int) -> NDArray[np.complex64]:
    """Cropped or zero-filled along one axis to `size`; the sample at ⌊N/2⌋ stays at ⌊N/2⌋."""
    have = array.shape[axis]
    before = size // 2 - have // 2
    if size < have:
        return array[(slice(None),) * axis + (slice(-before, size - before),)]
    widths = [(0, 0)] * array.ndim
    widths[axis] = (before, size - have - before)
    return np.pad(array, widths)


def _signal(kspace: NDArray[np.complex64]) -> float:
    """Mean over the object of the root sum of squares of (coil, *space) k-space."""
    axes = range(1, kspace.ndim)
    # A mean of magnitudes does not depend on where zero frequency and origin are: no shifts.
    image = root_sum_of_squares(scipy.fft.ifftn(kspace, axes=axes, norm="ortho"))
    return float(image[image > 0.1 * image.max()].mean())


def _check(
    shape: tuple[int, ...],
    coils: tuple[int, int],
    slices: int,
    snr: tuple[float, float],
    oversampling: int,
) -> None:
    def demand(holds: bool, what: str) -> None:
        if not holds:
            raise BadInput(f"simulation: {what}")

    demand(len(shape) in (2, 3), f"shape {shape} has {len(shape)} axes; give y x or z y x")
    demand(min(shape) >= _SMALLEST, f"shape {shape} is too small; use {_SMALLEST} or more")
    demand(1 <= coils[0] <= coils[1], f"coils {coils} are no range; give lowest then highest, ≥ 1")
    demand(slices >= 1, f"slices is {slices}; use 1 or more")
    demand(
        slices == 1 or len(shape) == 2,
        f"{slices} slices of a 3D shape {shape}; use slices 1, or a shape y x",
    )
    demand(0 < snr[0] <= snr[1] < math.inf, f"SNR {snr} is no range; give lowest then highest, > 0")
    demand(oversampling >= 1, f"oversampling is {oversampling}; use 1 or more")
