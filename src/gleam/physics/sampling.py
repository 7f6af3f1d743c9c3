"""Undersampling masks. The acceleration asked for is the acceleration you get, centre included.

Masks are centred: the zero frequency of an axis with N samples is at ⌊N/2⌋, and a fully sampled
centre of size c covers the indices from ⌊N/2⌋ − ⌊c/2⌋ on, c of them.
"""

import math
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.physics.kt_sampling import Mask, kt_golden, kt_random, kt_vista

Kind = Literal["equispaced", "random", "poisson", "kt-random", "kt-golden", "kt-vista"]

DIMENSIONS = {
    "equispaced": 1,
    "random": 1,
    "poisson": 2,
    "kt-random": 1,
    "kt-golden": 1,
    "kt-vista": 1,
}
_WIDEST = 1.25  # spacings, at which Poisson-disc drawing starts: too wide for all samples to fit


@lru_cache(maxsize=1024)
def draw(
    kind: Kind,
    shape: tuple[int, ...],
    acceleration: float,
    centre: tuple[int, ...],
    seed: int | tuple[int, ...],
    acquired: tuple[tuple[int, int], ...] | None = None,
    frames: int = 1,
    shutter: bool = False,
    region: bytes | None = None,
) -> Mask:
    """A sampling mask with exactly round(positions / acceleration) samples, in every frame.

    Masks are kept by their arguments, so drawing one again costs nothing.

    Args:
        kind: "equispaced" or "random" lines along one axis, or "poisson" over two axes, all of
            them the same in every frame; or lines along one axis that differ from frame to frame
            ("kt-…", see `gleam.physics.kt_sampling`).
        shape: number of phase-encoding positions along each undersampled axis.
        acceleration: positions over samples, at least 1.
        centre: size of the fully sampled centre along each axis; part of the budget. It may be 0.
        seed: the same seed gives the same mask.
        acquired: (start, stop) along each axis of the positions there are to choose from; all of
            them by default. Positions count inside it only.
        frames: of the series.
        shutter: leave the corners of two axes out, beyond the ellipse that touches the edges of
            what was acquired. The acceleration still counts all positions of the rectangle, as
            sigpy's `poisson` with `crop_corner` does.
        region: of a scan whose corners were never acquired: a bool array of `shape`, as bytes, True
            where there is something to choose. Only that counts then.

    Returns:
        Read-only bool array of `shape`, True where k-space is sampled; (frame, *shape) for "kt-…".

    Raises:
        BadInput: the sizes do not fit the kind, or the centre alone exceeds the budget, or it
            is more than the shutter holds.
    """
    box = centre_box(shape, centre)
    if len(shape) != DIMENSIONS[kind]:
        raise BadInput(
            f"sampling: a {kind} mask has {DIMENSIONS[kind]} undersampled axes, got shape {shape}"
        )
    limits = acquired or tuple((0, n) for n in shape)
    allowed = np.zeros(shape, bool)
    allowed[tuple(slice(*edges) for edges in limits)] = True
    if region is not None:
        allowed &= np.frombuffer(region, bool).reshape(shape)
    whole = np.zeros(shape, bool)
    whole[box] = allowed[box]  # a reference may give a centre that the scan does not hold
    positions, core = int(np.count_nonzero(allowed)), int(np.count_nonzero(whole))
    if shutter:
        allowed &= _ellipse(shape, limits)
    most = int(np.count_nonzero(allowed))
    samples = round(positions / acceleration) if acceleration >= 1 else 0
    if not max(core, 1) <= samples <= most:
        raise BadInput(
            f"sampling: acceleration {acceleration:g} leaves {samples} of {positions} samples, "
            + (f"more than the {most} in the shutter" if samples > most else "")
            + (f"fewer than the centre of {core}" if samples < max(core, 1) else "")
            + f"; choose an acceleration from {math.ceil(100 * positions / most) / 100:g} to "
            f"{positions / max(core, 1):.3g} or a smaller centre"
        )
    mask = np.stack([whole] * frames) if kind.startswith("kt-") else whole
    _FILL[kind](mask, allowed, samples, np.random.default_rng(seed))
    mask.flags.writeable = False
    return mask


def centre_box(shape: tuple[int, ...], centre: tuple[int, ...]) -> tuple[slice, ...]:
    """The box of size `centre` around the zero frequency of an array of `shape`.

    Raises:
        BadInput: the box does not fit.
    """
    if len(centre) != len(shape) or any(
        not 0 <= c <= n for c, n in zip(centre, shape, strict=False)
    ):
        raise BadInput(
            f"sampling: a centre of {centre} does not fit k-space of {shape}; "
            "give one size per undersampled axis, each between 0 and the axis's size"
        )
    starts = [n // 2 - c // 2 for n, c in zip(shape, centre, strict=True)]
    return tuple(slice(s, s + c) for s, c in zip(starts, centre, strict=True))


def equispaced(mask: Mask, allowed: Mask, samples: int, rng: np.random.Generator) -> None:
    """Fill `mask` (position,) up to `samples` with lines as evenly spaced as whole numbers allow.

    Spacing is counted over the positions outside the centre, from a random offset, and need not be
    a whole number: that is what keeps the acceleration exact.
    """
    outside = np.flatnonzero(allowed & ~mask)
    lines = samples - int(np.count_nonzero(mask))
    if lines:
        offset = rng.integers(len(outside))
        mask[outside[(np.arange(lines) * len(outside) + offset) // lines]] = True


def random_lines(mask: Mask, allowed: Mask, samples: int, rng: np.random.Generator) -> None:
    """Fill `mask` (position,) up to `samples` with lines drawn uniformly outside the centre."""
    outside = np.flatnonzero(allowed & ~mask)
    lines = samples - np.count_nonzero(mask)
    mask[rng.choice(outside, lines, replace=False)] = True


def poisson_disc(mask: Mask, allowed: Mask, samples: int, rng: np.random.Generator) -> None:
    """Fill `mask` (position, position) up to `samples` with a variable-density Poisson disc.

    The spacing wanted grows linearly with the distance from the zero frequency, and varies by a
    quarter from place to place, or else the few distances that a grid has (1, √2, 2, …) would show
    as rings. Places are taken in random order where the nearest sample is at least `scale` spacings
    away, and `scale` shrinks when no such place is left, until the count is exact: relaxation dart
    throwing (McCool & Fiume, Graphics Interface 1992).
    """
    missing = samples - int(np.count_nonzero(mask))
    spacing = _spacing(allowed & ~mask, missing) * rng.uniform(0.75, 1.25, mask.shape).astype(
        np.float32
    )
    reach = min(math.ceil(_WIDEST * spacing[allowed].max()), max(mask.shape))
    offsets = np.arange(-reach, reach + 1, dtype=np.float32)
    distance = np.hypot(offsets[:, None], offsets)
    # Padded, so that the neighbourhood of every place is a whole window.
    spacing = np.pad(spacing, reach, constant_values=1)
    room = np.full(spacing.shape, np.inf, np.float32)  # distance to the nearest sample / spacing
    inner = room[reach:-reach, reach:-reach]

    def take(row: int, column: int) -> None:
        mask[row, column] = True
        near = slice(row, row + len(offsets)), slice(column, column + len(offsets))
        np.minimum(room[near], distance / spacing[near], out=room[near])

    for row, column in np.argwhere(mask).tolist():
        take(row, column)
    places = rng.permutation(np.argwhere(allowed & ~mask))
    scale = _WIDEST
    while missing:
        for row, column in places[inner[tuple(places.T)] >= scale].tolist():
            if missing and inner[row, column] >= scale:
                take(row, column)
                missing -= 1
        scale *= 0.9


def _ellipse(shape: tuple[int, ...], limits: tuple[tuple[int, int], ...]) -> Mask:
    """The ellipse that touches the limits, (start, stop), along every axis."""
    axes = np.ix_(
        *(
            (np.arange(n) + 0.5 - (start + stop) / 2) * (2 / (stop - start))
            for n, (start, stop) in zip(shape, limits, strict=True)
        )
    )
    inside: Mask = np.less_equal(sum(axis**2 for axis in axes), 1)
    return inside


def _spacing(places: Mask, samples: int) -> NDArray[np.float32]:
    """1 + slope · distance from the centre, with the slope at which `samples` fit in the places.

    One sample takes spacing² positions; the distance is relative to the half-axes of k-space.
    """
    axes = [(np.arange(n, dtype=np.float32) - n // 2) * (2 / n) for n in places.shape]
    distance: NDArray[np.float32] = np.hypot(axes[0][:, None], axes[1])
    outside = distance[places]
    low, high = 0.0, 1.0
    while np.sum((1 + high * outside) ** -2) > samples and high < max(places.shape):
        low, high = high, 2 * high
    for _ in range(20):
        slope = (low + high) / 2
        if np.sum((1 + slope * outside) ** -2) > samples:
            low = slope
        else:
            high = slope
    return 1 + np.float32(high) * distance


_FILL = {
    "equispaced": equispaced,
    "random": random_lines,
    "poisson": poisson_disc,
    "kt-random": kt_random,
    "kt-golden": kt_golden,
    "kt-vista": kt_vista,
}
