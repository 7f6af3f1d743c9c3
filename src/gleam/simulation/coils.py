"""Receive coils: loops on a ring around the field of view."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.complex64]  # (*space)


@dataclass(frozen=True)
class _Loop:
    """One coil before brightness is evened out.

    Attributes:
        source: where its field lines seem to come from, z y x.
        radius: of the loop.
        falloff: of the field, a power of the distance.
        ramp: phase along each axis, in radians from the centre to the edge.
        phase: at the centre.
    """

    source: NDArray[np.float64]
    radius: float
    falloff: float
    ramp: tuple[float, ...]
    phase: float


class SimulatedCoils:
    """Complex sensitivities of some loops, one map at a time: none is kept, however large.

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

    Iterating gives (*space) maps; the root of their sum of squares is 1 on average over the
    ellipsoid that fills the field of view.
    """

    def __init__(self, shape: tuple[int, ...], coils: int, rng: np.random.Generator) -> None:
        self._half = np.array([1] * (3 - len(shape)) + [n / max(shape) for n in shape])  # z, y, x
        self._mesh = np.ix_(
            *((np.arange(n, dtype=np.float32) - n // 2) * (2 / max(shape)) for n in shape)
        )
        self._loops = self._draw(coils, rng)
        evened = rng.uniform(0, 1)

        squared = np.zeros(shape, np.float32)
        for loop in self._loops:
            one = self._sensitivity(loop)
            squared += one.real**2 + one.imag**2
        position = (np.float32(0),) * (3 - len(shape)) + self._mesh
        inside = sum((p / h) ** 2 for p, h in zip(position, self._half, strict=True)) <= 1
        brightness = np.sqrt(squared)
        self._gain = brightness ** np.float32(-evened)
        self._gain /= (brightness * self._gain)[inside].mean()

    def __iter__(self) -> Iterator[Map]:
        for loop in self._loops:
            one = self._sensitivity(loop)
            one *= self._gain
            yield one

    def _draw(self, coils: int, rng: np.random.Generator) -> list[_Loop]:
        ring, falloff, start = rng.uniform(1.05, 1.4), rng.uniform(2, 3), rng.uniform(0, 1)
        along_z = 0.15 if len(self._mesh) == 2 else 0.5
        loops = []
        for index in range(coils):
            angle = 2 * math.pi * (start + (index + rng.uniform(-0.3, 0.3)) / coils)
            radius = max(0.2, 1.6 * ring / coils) * rng.uniform(0.7, 1.3)
            away = ring * rng.uniform(0.95, 1.15) + radius
            direction = rng.normal(0, along_z), math.sin(angle), math.cos(angle)
            ramp = tuple(rng.normal(0, 0.4) for _ in self._mesh)
            phase = rng.uniform(0, 2 * math.pi)
            loops.append(_Loop(away * self._half * direction, radius, falloff, ramp, phase))
        return loops

    def _sensitivity(self, loop: _Loop) -> Map:
        position = (np.float32(0),) * (3 - len(self._mesh)) + self._mesh
        z, y, x = (p - np.float32(s) for p, s in zip(position, loop.source, strict=True))
        squared = z**2 + y**2 + x**2 + np.float32(loop.radius**2)  # finite next to the loop, too
        squared **= np.float32(-(loop.falloff + 1) / 2)
        one = np.asarray((x - 1j * y) * squared, np.complex64)
        for p, slope in zip(self._mesh, loop.ramp, strict=True):
            one *= np.exp(1j * np.float32(slope) * p)
        one *= np.complex64(np.exp(1j * loop.phase))
        return one
