"""A beating heart: one image of a body with a heart in it, moved by a displacement over time.

The heart at rest (end of filling) is painted into a procedural anatomy: two chambers, seen along
their axis, with walls, papillary muscles and textured blood. Every frame is that image sampled
where its tissue came from, so what is seen moves as matter does: chambers squeeze and twist, the
left one's wall thickens as it keeps its area, what surrounds them gives way, and breathing shifts
the whole. All of it is periodic over the frames, as in gated cine, and drawn anew for every heart.

Lengths are fractions of the longest side, angles radians, times fractions of the cycle.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from gleam.simulation.anatomy import (
    OVERSIZED,
    Field,
    draw_body,
    draw_phase,
    log_uniform,
    smooth_noise,
)

Points = NDArray[np.floating]
Position = tuple[Points, Points]  # y, x of every point

_LENGTHENED = 0.15  # the wall's area gains what the heart loses in length
_REACH = 0.8  # of a chamber's radius: how far around it tissue follows


@dataclass(frozen=True)
class Chamber:
    """A chamber of the heart, and how it moves.

    Attributes:
        centre: y, x.
        inner, outer: radius of the blood and of the wall around it, at rest.
        outline: (amplitude, angle) of the second, third … harmonic of the radius.
        squeeze: share of the inner radius lost when fully contracted.
        uneven: (share, angle): more of it on one side, less on the other.
        twist: of the wall when fully contracted.
        swirl: of the blood, to and fro.
    """

    centre: tuple[float, float]
    inner: float
    outer: float
    outline: tuple[tuple[float, float], ...]
    squeeze: float
    uneven: tuple[float, float]
    twist: float
    swirl: float

    def polar(self, position: Position) -> tuple[Points, Points]:
        """(radius, angle): the radius as it would be were the outline a circle."""
        y, x = position[0] - self.centre[0], position[1] - self.centre[1]
        angle = np.arctan2(y, x)
        return np.hypot(y, x) / self._outline(angle), angle

    def at_rest(self, position: Position, contraction: float, time: float) -> Position:
        """Position at rest of the tissue that is at `position` now.

        Args:
            position: y and x of every point.
            contraction: 0 at rest to 1.
            time: of the cycle.
        """
        radius, angle = self.polar(position)
        side = 1 + self.uneven[0] * np.cos(angle - self.uneven[1])
        kept = 1 - self.squeeze * contraction * side
        lengthened = 1 + _LENGTHENED * contraction
        inner = self.inner * kept
        outer = np.sqrt(inner**2 + (self.outer**2 - self.inner**2) * lengthened)
        reach = _REACH * self.outer
        far = np.exp(-(np.maximum(radius - outer, 0) ** 2) / reach**2)
        wall = self.inner**2 + (radius**2 - inner**2) / lengthened
        rest = np.where(
            radius < inner,
            radius / kept,
            np.where(
                radius < outer, np.sqrt(np.maximum(wall, 0)), radius + (self.outer - outer) * far
            ),
        )
        swirl = self.swirl * math.sin(2 * math.pi * time)
        angle = angle - self.twist * contraction * far
        angle = angle - swirl * np.maximum(1 - (rest / self.inner) ** 2, 0)
        rest = rest * self._outline(angle)
        return self.centre[0] + rest * np.sin(angle), self.centre[1] + rest * np.cos(angle)

    def _outline(self, angle: Points) -> Points:
        radius = np.ones_like(angle)
        for harmonic, (amplitude, at) in enumerate(self.outline, start=2):
            radius += amplitude * np.cos(harmonic * angle - at)
        return radius


def draw_beating_heart(
    shape: tuple[int, int], frames: int, rng: np.random.Generator, oversized: float = OVERSIZED
) -> NDArray[np.complex64]:
    """One cycle of a heart in a body: (frame, y, x), magnitude up to 1.

    Args:
        shape: `y x`.
        frames: over one cycle.
        rng: where the draw comes from.
        oversized: share of bodies that are larger than the field of view.
    """
    image, depth = draw_body(shape, rng, oversized)
    y, x = ((np.arange(n, dtype=np.float32) - n // 2) / np.float32(max(shape)) for n in shape)
    position: Position = np.broadcast_to(y[:, None], shape), np.broadcast_to(x, shape)
    left, right = draw_chambers(position, depth, rng)
    _paint(image, position, depth, left, right, rng)
    beat = draw_beat(rng)
    breath, breathing = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.012)
    direction, along = (_unit(rng) for _ in range(2))
    share = 0.5 + direction[0] * position[0] + direction[1] * position[1]  # fixed on one side

    series = np.empty((frames, *shape), np.complex64)
    for frame in range(frames):
        time = frame / frames
        shift = breathing * math.sin(2 * math.pi * time + breath) * share
        now = position[0] + along[0] * shift, position[1] + along[1] * shift
        rest = left.at_rest(right.at_rest(now, float(beat(time)), time), float(beat(time)), time)
        points = [x * max(shape) + n // 2 for x, n in zip(rest, shape, strict=True)]
        series[frame] = scipy.ndimage.map_coordinates(image, points, order=1, mode="nearest")
    series *= np.exp(1j * draw_phase(shape, rng))
    return series


def draw_chambers(
    position: Position, depth: Field, rng: np.random.Generator
) -> tuple[Chamber, Chamber]:
    """The left chamber, somewhere in the body, and the right one, wrapped around one side of it."""
    deep = np.argwhere(depth > 0.5 * depth.max())
    place = tuple(deep[rng.integers(len(deep))])
    y, x = (float(axis[place]) for axis in position)
    outer, side = log_uniform(rng, 0.08, 0.18), rng.uniform(0, 2 * math.pi)
    left = Chamber(
        centre=(y, x),
        inner=outer * rng.uniform(0.5, 0.78),
        outer=outer,
        outline=_outline(rng),
        squeeze=rng.uniform(0.15, 0.5),
        uneven=(rng.uniform(0, 0.35), rng.uniform(0, 2 * math.pi)),
        twist=rng.normal(0, 0.12),
        swirl=rng.normal(0, 0.4),
    )
    wide = outer * rng.uniform(0.8, 1.2)
    away = outer * rng.uniform(0.75, 1.2)
    right = Chamber(
        centre=(y + away * math.sin(side), x + away * math.cos(side)),
        inner=wide * rng.uniform(0.82, 0.95),
        outer=wide,
        outline=_outline(rng),
        squeeze=rng.uniform(0.1, 0.35),
        uneven=(rng.uniform(0, 0.35), rng.uniform(0, 2 * math.pi)),
        twist=rng.normal(0, 0.08),
        swirl=rng.normal(0, 0.4),
    )
    return left, right


def draw_beat(rng: np.random.Generator) -> "scipy.interpolate.PchipInterpolator":
    """Contraction over the cycle, 0 to 1: fast ejection, faster filling, rest, and a last kick."""
    ejected = rng.uniform(0.28, 0.45)
    filled = ejected + rng.uniform(0.1, 0.2)
    resting, kick = rng.uniform(0.1, 0.3), rng.uniform(0.85, 0.95)
    times = [0.0, ejected - 0.05, ejected, filled, kick, 1.0]
    values = [0.0, 0.97, 1.0, resting, 0.8 * resting, 0.0]
    start = rng.random() if rng.random() < 0.5 else 0.0  # not every scanner begins at the R wave
    knots = np.array([t + cycle for cycle in (-1, 0, 1, 2) for t in times[:-1]]) - start
    return scipy.interpolate.PchipInterpolator(knots, np.tile(values[:-1], 4))


def _paint(
    image: Field,
    position: Position,
    depth: Field,
    left: Chamber,
    right: Chamber,
    rng: np.random.Generator,
) -> None:
    """Walls and blood at rest; blood is mostly brighter, and darker where it was suppressed."""
    shape = image.shape
    muscle, blood = rng.uniform(0.15, 0.45), rng.uniform(0.5, 1)
    if rng.random() < 0.2:
        muscle, blood = blood, muscle
    walls = muscle * (1 + rng.uniform(0, 0.15) * smooth_noise(shape, 0.006, rng))
    flow = smooth_noise(shape, log_uniform(rng, 0.01, 0.04), rng)
    pool = blood * (1 + rng.uniform(0.03, 0.25) * flow)
    ragged = 1 - rng.uniform(0, 0.12) * np.abs(
        smooth_noise(shape, log_uniform(rng, 0.01, 0.03), rng)
    )
    for chamber in (right, left):
        radius, _ = chamber.polar(position)
        wall = (radius < chamber.outer) & (depth > 0.05)
        image[wall] = walls[wall]
        inside = wall & (radius < chamber.inner * ragged)
        image[inside] = pool[inside]
    for _ in range(rng.integers(1, 4)):  # papillary muscles
        angle, away = rng.uniform(0, 2 * math.pi), left.inner * rng.uniform(0.45, 0.8)
        size = left.inner * rng.uniform(0.1, 0.25)
        y, x = left.centre[0] + away * math.sin(angle), left.centre[1] + away * math.cos(angle)
        papillary = np.hypot(position[0] - y, position[1] - x) < size
        papillary &= left.polar(position)[0] < left.inner
        image[papillary] = walls[papillary]
    np.clip(image, 0, 1, out=image)


def _outline(rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    most = (0.12, 0.05, 0.03)
    return tuple((rng.uniform(0, a), rng.uniform(0, 2 * math.pi)) for a in most)


def _unit(rng: np.random.Generator) -> tuple[float, float]:
    angle = rng.uniform(0, 2 * math.pi)
    return math.sin(angle), math.cos(angle)
