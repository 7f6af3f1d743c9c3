"""Receive coils: loops on a ring around the field of view."""

import math

import numpy as np
from numpy.typing import NDArray


def draw_coils(
    shape: tuple[int, ...], coils: int, rng: np.random.Generator
) -> NDArray[np.complex64]:
    """Complex sensitivities of `coils` loops, different in every draw.

    Seen from inside, the field lines of a loop spread as if from a point about one loop radius
    behind it; what a loop receives is their transverse part, Bx − i·By, which gives it its
    phase. Loops that share a ring shrink as they get more; a single one is large and nearly
    uniform, as a volume coil is. Brightness near the ring is evened out in part, as scanners do, or
    not at all, as in raw data.
    Positions, sizes, falloff and a phase ramp vary.

    Args:
        shape: `y x` or `z y x`; the ring lies in the y–x plane.
        coils: how many, at least 1.
        rng: where the draw comes from.

    Returns:
        (coil, *space); the root of the sum of squares is 1 on average over the ellipsoid that
        fills the field of view.
    """
    half = np.array([1] * (3 - len(shape)) + [n / max(shape) for n in shape])  # z, y, x
    mesh = np.ix_(*((np.arange(n, dtype=np.float32) - n // 2) * (2 / max(shape)) for n in shape))
    position = (np.float32(0),) * (3 - len(shape)) + mesh
    ring, falloff, start = rng.uniform(1.05, 1.4), rng.uniform(2, 3), rng.uniform(0, 1)
    along_z = 0.15 if len(shape) == 2 else 0.5

    maps = np.empty((coils, *shape), np.complex64)
    for index in range(coils):
        angle = 2 * math.pi * (start + (index + rng.uniform(-0.3, 0.3)) / coils)
        radius = max(0.2, 1.6 * ring / coils) * rng.uniform(0.7, 1.3)
        away = ring * rng.uniform(0.95, 1.15) + radius
        source = away * half * (rng.normal(0, along_z), math.sin(angle), math.cos(angle))
        z, y, x = (p - np.float32(s) for p, s in zip(position, source, strict=True))
        squared = z**2 + y**2 + x**2 + np.float32(radius**2)  # finite next to the loop, too
        strength = squared ** np.float32(-(falloff + 1) / 2)
        maps[index] = (x - 1j * y) * strength
        for p in mesh:  # a phase ramp, axis by axis
            maps[index] *= np.exp(1j * np.float32(rng.normal(0, 0.4)) * p)
        maps[index] *= np.exp(1j * rng.uniform(0, 2 * math.pi))

    inside = sum((p / h) ** 2 for p, h in zip(position, half, strict=True)) <= 1
    maps /= root_sum_of_squares(maps) ** np.float32(rng.uniform(0, 1))
    maps /= root_sum_of_squares(maps)[inside].mean()
    return maps


def root_sum_of_squares(images: NDArray[np.complex64]) -> NDArray[np.float32]:
    """(coil, *space) complex → (*space): the root of the sum over coils of |image|²."""
    squared: NDArray[np.float32] = np.sum(images.real**2 + images.imag**2, axis=0)
    return np.sqrt(squared)
