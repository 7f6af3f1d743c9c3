"""Procedural anatomy: images with the edges, folds, textures and phases of bodies, but of no body.

Everything is made from smooth random fields: regions are where one field exceeds the others, folds
and vessels are where fields cross zero. Every image draws its own shapes, scales and contrasts;
variety matters more than realism. The same code draws 2D and 3D images, and lengths are fractions
of the longest side, so that a finer grid shows the same kind of image.
"""

import math

import numpy as np
import scipy
from numpy.typing import NDArray

Field = NDArray[np.float32]

OVERSIZED = 1 / 6


def draw_anatomy(
    shape: tuple[int, ...], rng: np.random.Generator, oversized: float = OVERSIZED
) -> NDArray[np.complex64]:
    """A complex image of `shape` (`y x` or `z y x`), zero outside the body, magnitude up to 1."""
    image, _ = draw_body(shape, rng, oversized)
    phasor: NDArray[np.complex64] = np.exp(1j * draw_phase(shape, rng))
    return image * phasor


def draw_body(
    shape: tuple[int, ...], rng: np.random.Generator, oversized: float = OVERSIZED
) -> tuple[Field, Field]:
    """The magnitude of an image, and how deep inside the body every voxel lies."""
    depth = draw_outline(shape, rng, oversized)
    image = _inside(depth, rng)
    image *= 1 + rng.uniform(0, 0.12) * smooth_noise(shape, log_uniform(rng, 0.004, 0.02), rng)
    if rng.random() < 0.8:
        _add_rim(image, depth, rng)
    image *= np.exp(rng.uniform(0, 0.3) * smooth_noise(shape, 0.35, rng))  # shading
    image = np.where(depth > 0, np.maximum(image, 0), 0)
    image /= np.quantile(image[depth > 0], 0.999)
    return np.minimum(image, 1), depth


def smooth_noise(shape: tuple[int, ...], scale: float, rng: np.random.Generator) -> Field:
    """Gaussian noise smoothed by a Gaussian of standard deviation `scale`; mean 0, variance 1.

    Drawn in the frequency domain, only where the smoothing leaves something.

    Args:
        shape: size of the field, which is periodic.
        scale: fraction of the longest side.
        rng: where the noise comes from.
    """
    longest = max(shape)
    reach = [min(math.ceil(0.7 * n / (longest * scale)), (n - 1) // 2) for n in shape]
    waves = [np.arange(-m, m + 1) for m in reach]
    waves[-1] = waves[-1][reach[-1] :]  # the transform of a real field: one half says it all
    kept = np.ix_(*waves)
    squared = sum((k * (longest / n)) ** 2 for k, n in zip(kept, shape, strict=True))
    white = rng.standard_normal((2, *(len(k) for k in waves)), dtype=np.float32)
    white[..., 0] *= math.sqrt(2)  # this plane alone has no mirror image in the other half
    spectrum = np.zeros((*shape[:-1], shape[-1] // 2 + 1), np.complex64)
    spectrum[kept] = (white[0] + 1j * white[1]) * np.exp(-2 * (math.pi * scale) ** 2 * squared)
    spectrum[(0,) * len(shape)] = 0
    field: Field = scipy.fft.irfftn(spectrum, shape)
    field /= field.std()
    return field


def draw_outline(
    shape: tuple[int, ...], rng: np.random.Generator, oversized: float = OVERSIZED
) -> Field:
    """Depth of every voxel inside the body: 1 at its centre, 0 on its surface, then negative.

    The body is a deformed ellipsoid of random size, place and rotation. A share of them,
    `oversized`, is larger than the field of view.
    """
    dims = len(shape)
    size = rng.uniform(0.6, 0.98, dims) * (rng.uniform(1.2, 1.8) if rng.random() < oversized else 1)
    middle = rng.normal(0, 0.06, dims)
    rotation = np.linalg.qr(rng.normal(size=(dims, dims)))[0] / size[:, None]
    position = np.ix_(
        *(np.linspace(-1, 1, n, dtype=np.float32) - m for n, m in zip(shape, middle, strict=True))
    )
    squared = np.zeros(shape, np.float32)
    for row in rotation.astype(np.float32):
        squared += sum(a * x for a, x in zip(row, position, strict=True)) ** 2
    deformed = rng.uniform(0, 0.06) * smooth_noise(shape, log_uniform(rng, 0.1, 0.3), rng)
    depth: Field = 1 - np.sqrt(squared) + deformed
    return depth


def draw_phase(shape: tuple[int, ...], rng: np.random.Generator) -> Field:
    """Smooth phase in radians: a constant, slow variation, and sometimes strong or finer swings."""
    phase = rng.uniform(-math.pi, math.pi) + rng.uniform(0.1, 0.8) * smooth_noise(shape, 0.3, rng)
    if rng.random() < 0.3:
        phase += rng.uniform(0.3, 2) * smooth_noise(shape, log_uniform(rng, 0.08, 0.25), rng)
    return phase.astype(np.float32)


def _inside(depth: Field, rng: np.random.Generator) -> Field:
    """Tissue: regions at two scales, a folded mantle, membranes, vessels and small discs."""
    shape = depth.shape
    image = _regions(shape, log_uniform(rng, 0.06, 0.2), rng)
    finer = _regions(shape, log_uniform(rng, 0.015, 0.05), rng)
    image = np.where(smooth_noise(shape, 0.1, rng) > rng.uniform(-0.3, 1.5), finer, image)
    if rng.random() < 0.7:
        _add_mantle(image, depth, rng)
    image = rng.uniform(0.3, 0.8) + rng.uniform(0.25, 1) * (image - 0.5)  # some contrasts are low
    for _ in range(rng.integers(3)):  # membranes: bright or dark surfaces of even width
        surface = np.abs(smooth_noise(shape, log_uniform(rng, 0.03, 0.15), rng))
        image[surface < rng.uniform(0.02, 0.08)] = rng.uniform(0, 1)
    for _ in range(rng.integers(1, 3)):  # vessels: where two surfaces cross
        scale = log_uniform(rng, 0.02, 0.06)
        lines = smooth_noise(shape, scale, rng) ** 2 + smooth_noise(shape, scale, rng) ** 2
        image[lines < rng.uniform(0.005, 0.03)] = rng.uniform(0, 1.5)
    for _ in range(rng.integers(8)):
        _add_disc(image, rng)
    return image


def _regions(shape: tuple[int, ...], scale: float, rng: np.random.Generator) -> Field:
    """A label map, the argmax of smooth noises, with one intensity per label."""
    values = rng.uniform(0.05, 1, rng.integers(3, 7))
    highest = smooth_noise(shape, scale, rng)
    image = np.full(shape, values[0], np.float32)
    for value in values[1:]:
        noise = smooth_noise(shape, scale, rng)
        image[noise > highest] = value
        np.maximum(noise, highest, out=highest)
    return image


def _add_mantle(image: Field, depth: Field, rng: np.random.Generator) -> None:
    """A layer under the surface whose inner border is folded, with clefts between the folds."""
    scale = log_uniform(rng, 0.015, 0.04)
    folds = smooth_noise(image.shape, scale, rng)
    layer = depth - rng.uniform(0.15, 0.45)
    image[layer + rng.uniform(0.05, 0.2) * folds < 0] = rng.uniform(0.1, 1)
    clefts = np.abs(smooth_noise(image.shape, scale, rng)) < rng.uniform(0.05, 0.25)
    image[clefts & (layer < 0.1 * folds)] = rng.uniform(0, 1)


def _add_disc(image: Field, rng: np.random.Generator) -> None:
    radius = log_uniform(rng, 0.005, 0.06) * max(image.shape)
    centre = [rng.uniform(0.2, 0.8) * n for n in image.shape]
    box = tuple(
        slice(max(0, math.floor(c - radius)), min(n, math.ceil(c + radius) + 1))
        for c, n in zip(centre, image.shape, strict=True)
    )
    position = np.ogrid[box]
    squared = sum((x - c) ** 2 for x, c in zip(position, centre, strict=True))
    image[box][squared <= radius**2] = rng.uniform(0, 1.2)


def _add_rim(image: Field, depth: Field, rng: np.random.Generator) -> None:
    """Skin and fat, mostly bright, with a dark gap (bone) inside it, both of uneven thickness."""
    uneven = 1 + 0.3 * smooth_noise(image.shape, 0.1, rng)
    skin = rng.uniform(0.02, 0.1) * uneven
    bone = rng.uniform(0.02, 0.1) * (1 + 0.3 * smooth_noise(image.shape, 0.1, rng))
    image[depth < skin + np.maximum(bone, 0)] = rng.uniform(0, 0.15)
    streaks = 1 + 0.2 * smooth_noise(image.shape, 0.015, rng)
    image[depth < skin] = (rng.uniform(0.2, 1.2) * streaks)[depth < skin]


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between low and high, every ratio as likely."""
    return float(low * (high / low) ** rng.random())
