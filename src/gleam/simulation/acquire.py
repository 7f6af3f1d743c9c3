"""Images seen by coils, encoded, with noise: what makes a fully sampled scan of them."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.simulation.coils import Map

Series = NDArray[np.complex64]  # (frame, *grid)


def generator(seed: int | tuple[int, ...]) -> np.random.Generator:
    """Random numbers that all of a scan is drawn from.

    Raises:
        BadInput: the seed is none.
    """
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        first = seed[0] if isinstance(seed, tuple) else seed
        raise BadInput(f"simulate: seed is {first!r}; use a whole number, 0 or more") from error


def draw_receiver(
    coils: int | tuple[int, int], snr: float | tuple[float, float], rng: np.random.Generator
) -> tuple[int, float]:
    """Draw the number of coils, and the signal-to-noise ratio.

    Args:
        coils: how many, or the (lowest, highest) number to draw from.
        snr: the ratio, or the (lowest, highest) to draw from, uniform in its logarithm.
        rng: where the draw comes from.

    Raises:
        BadInput: no range.
    """
    fewest, most = coils if isinstance(coils, tuple) else (coils, coils)
    worst, best = snr if isinstance(snr, tuple) else (snr, snr)
    if not 1 <= fewest <= most:
        raise BadInput(
            f"simulate: coils {(fewest, most)} are no range; give lowest then highest, ≥ 1"
        )
    if not 0 < worst <= best < math.inf:
        raise BadInput(f"simulate: SNR {(worst, best)} is no range; give lowest then highest, > 0")
    count = int(rng.integers(fewest, most, endpoint=True))
    return count, float(worst * (best / worst) ** rng.random())


def acquire(
    images: Sequence[Series],
    maps: Iterable[Map],
    coils: int,
    space: tuple[int, ...],
    wide: tuple[int, ...],
    snr: float,
    rng: np.random.Generator,
) -> NDArray[np.complex64]:
    """K-space of images, with white complex Gaussian noise.

    Beside what is given and returned, memory is taken for a few copies of one frame of one coil.

    Args:
        images: (frame, *grid) of every slice.
        maps: (*grid) of every coil; the same for all images.
        coils: how many maps there are.
        space, wide: see `encode`.
        snr: signal-to-noise ratio. Signal: the mean of the noise-free root-sum-of-squares image
            over the object, which is where it exceeds a tenth of its maximum, averaged over slices
            and frames. Noise: the standard deviation of the real (or the imaginary) part of every
            voxel of every coil's fully sampled image.
        rng: where the noise comes from.

    Returns:
        (slice, coil, frame, *space), centred.
    """
    frames = len(images[0])
    kspace = np.empty((len(images), coils, frames, *space), np.complex64)
    for coil, sensitivity in enumerate(maps):
        for index, series in enumerate(images):
            for frame, image in enumerate(series):
                kspace[index, coil, frame] = encode(image * sensitivity, space, wide)
    signal = np.mean([_signal(one[:, frame]) for one in kspace for frame in range(frames)])
    deviation = np.float32(signal / snr)
    for part in (kspace.real, kspace.imag):
        for position in np.ndindex(part.shape[:3]):
            part[position] += deviation * rng.standard_normal(space, dtype=np.float32)
    return kspace


def encode(
    image: NDArray[np.complex64], space: tuple[int, ...], wide: tuple[int, ...]
) -> NDArray[np.complex64]:
    """Centred k-space of size `space`: the central part of the spectrum of an image.

    The scale is such that the orthonormal inverse transform of the result is the image,
    band-limited, voxel by voxel.

    Args:
        image: on a grid as fine as the voxels, or finer.
        space: samples along each axis.
        wide: size of the field of view in points of that grid, at least that of `space`. Beyond
            the image it is empty.
    """
    for axis in reversed(range(image.ndim)):
        image = scipy.fft.ifftshift(_centred(image, axis, wide[axis]), axis)
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
    squared = np.zeros(kspace.shape[1:], np.float32)
    for coil in kspace:
        # A mean of magnitudes does not depend on where zero frequency and origin are: no shifts.
        image = scipy.fft.ifftn(coil, norm="ortho")
        squared += image.real**2 + image.imag**2
    brightness = np.sqrt(squared)
    return float(brightness[brightness > 0.1 * brightness.max()].mean())
