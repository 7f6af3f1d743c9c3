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

Kind = Literal["equispaced", "random", "poisson"]
Mask = NDArray[np.bool_]

_WIDEST = 1.25  # spacings, at which Poisson-disc drawing starts: too wide for all samples to fit
DIMENSIONS = {"equispaced": 1, "random": 1, "poisson": 2}


@lru_cache(maxsize=1024)
def draw(
    kind: Kind,
    shape: tuple[int, ...],
    acceleration: float,
    centre: tuple[int, ...],
    seed: int | tuple[int, ...],
    acquired: tuple[tuple[int, int], ...] | None = None,
) -> Mask:
    """A sampling mask with exactly round(positions / acceleration) samples.

    Masks are kept by their arguments, so drawing one again costs nothing.

    Args:
        kind: "equispaced" or "random" lines along one axis, or "poisson" over two axes.
        shape: number of phase-encoding positions along each undersampled axis.
        acceleration: positions over samples, at least 1.
        centre: size of the fully sampled centre along each axis; part of the budget.
        seed: the same seed gives the same mask.
        acquired: (start, stop) along each axis of the positions there are to choose from; all of
            them by default. Positions count inside it only, and the density of a Poisson disc
            falls off from its middle.

    Returns:
        Read-only bool array of `shape`, True where k-space is sampled.

    Raises:
        BadInput: the sizes do not fit the kind, or the centre alone exceeds the budget.
    """
    box = centre_box(shape, centre)
    if len(shape) != DIMENSIONS[kind]:
        raise BadInput(
            f"sampling: a {kind} mask has {DIMENSIONS[kind]} undersampled axes, got shape {shape}"
        )
    inside = tuple(slice(*limits) for limits in acquired or ((0, n) for n in shape))
    positions, core = math.prod(s.stop - s.start for s in inside), math.prod(centre)
    samples = round(positions / acceleration) if acceleration >= 1 else 0
    if samples < max(core, 1):
        raise BadInput(
            f"sampling: acceleration {acceleration:g} leaves {samples} of {positions} samples, "
            f"fewer than the centre of {core}; "
            f"choose an acceleration from 1 to {positions / max(core, 1):.3g} or a smaller centre"
        )
    mask = np.zeros(shape, bool)
    mask[box] = True
    fill = {"equispaced": equispaced, "random": random_lines, "poisson": poisson_disc}[kind]
    fill(mask[inside], samples, np.random.default_rng(seed))
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


def equispaced(mask: Mask, samples: int, rng: np.random.Generator) -> None:
    """Fill `mask` (position,) up to `samples` with lines as evenly spaced as whole numbers allow.

    Spacing is counted over the positions outside the centre, from a random offset, and need not be
    a whole number: that is what keeps the acceleration exact.
    """
    outside = np.flatnonzero(~mask)
    lines = samples - int(np.count_nonzero(mask))
    if lines:
        offset = rng.integers(len(outside))
        mask[outside[(np.arange(lines) * len(outside) + offset) // lines]] = True


def random_lines(mask: Mask, samples: int, rng: np.random.Generator) -> None:
    """Fill `mask` (position,) up to `samples` with lines drawn uniformly outside the centre."""
    outside = np.flatnonzero(~mask)
    lines = samples - np.count_nonzero(mask)
    mask[rng.choice(outside, lines, replace=False)] = True


def poisson_disc(mask: Mask, samples: int, rng: np.random.Generator) -> None:
    """Fill `mask` (position, position) up to `samples` with a variable-density Poisson disc.

    The spacing wanted grows linearly with the distance from the zero frequency, and varies by a
    quarter from place to place, or else the few distances that a grid has (1, √2, 2, …) would show
    as rings. Places are taken in random order where the nearest sample is at least `scale` spacings
    away, and `scale` shrinks when no such place is left, until the count is exact: relaxation dart
    throwing (McCool & Fiume, Graphics Interface 1992).
    """
    missing = samples - int(np.count_nonzero(mask))
    spacing = _spacing(mask, missing) * rng.uniform(0.75, 1.25, mask.shape).astype(np.float32)
    reach = min(math.ceil(_WIDEST * spacing.max()), max(mask.shape))
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
    places = rng.permutation(np.argwhere(~mask))
    scale = _WIDEST
    while missing:
        for row, column in places[inner[tuple(places.T)] >= scale].tolist():
            if missing and inner[row, column] >= scale:
                take(row, column)
                missing -= 1
        scale *= 0.9


def _spacing(mask: Mask, samples: int) -> NDArray[np.float32]:
    """1 + slope · distance from the centre, with the slope at which `samples` fit outside `mask`.

    One sample takes spacing² positions; the distance is relative to the half-axes of k-space.
    """
    axes = [(np.arange(n, dtype=np.float32) - n // 2) * (2 / n) for n in mask.shape]
    distance: NDArray[np.float32] = np.hypot(axes[0][:, None], axes[1])
    outside = distance[~mask]
    low, high = 0.0, 1.0
    while np.sum((1 + high * outside) ** -2) > samples and high < max(mask.shape):
        low, high = high, 2 * high
    for _ in range(20):
        slope = (low + high) / 2
        if np.sum((1 + slope * outside) ** -2) > samples:
            low = slope
        else:
            high = slope
    return 1 + np.float32(high) * distance
