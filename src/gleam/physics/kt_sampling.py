"""k-t masks: the lines that each frame of a series samples.

Two things make such a mask. How often each line is taken falls off from the centre of k-space: to
half the mean at the edge, so that the average over time covers all of k-space once there are twice
as many frames as the acceleration. And when it is taken is what the kinds differ in.

Sources: golden-step, as GRO in Joshi et al., "Pseudo-random Cartesian sampling for dynamic MRI",
arXiv 2206.03630; interleaved, after VISTA (Ahmad et al., MRM 2015), whose aim (samples evenly
spread over the k-t plane, denser in the centre, covering k-space over time) is reached here by a
golden-section lattice instead of by minimising an energy.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_FALL = 3.5  # the spacing of lines grows linearly to 1 + so many times that of the centre
_GOLDEN = (5**0.5 - 1) / 2
_JITTER = 0.1  # of a line's period

Mask = NDArray[np.bool_]
Density = NDArray[np.float64]  # (line,): share of the frames that take each line


def kt_random(mask: Mask, allowed: Mask, samples: int, rng: np.random.Generator) -> None:
    """Fill every frame of `mask` (frame, position) up to `samples` with random lines.

    Which frames take a line is drawn anew for each; how many do is not left to chance.
    """

    def order(counts: NDArray[np.intp], left: NDArray[np.intp]) -> Density:
        # Exponential times with rates in proportion: a weighted draw without replacement.
        return rng.standard_exponential(len(left)) / np.maximum(left, 1e-9)

    _fill_in_turn(mask, allowed, samples, rng, order)


def kt_vista(mask: Mask, allowed: Mask, samples: int, rng: np.random.Generator) -> None:
    """Fill every frame of `mask` (frame, position) up to `samples` with interleaved lines.

    Every line comes round at a steady period, neighbours a golden section of it later each: a
    lattice that is even within a frame and between frames, jittered.
    """
    phase = _GOLDEN * _free(mask, allowed) + rng.random()
    phase = (phase + rng.uniform(-_JITTER, _JITTER, phase.shape)) % 1

    def order(counts: NDArray[np.intp], left: NDArray[np.intp]) -> Density:
        return np.where(left > 0, (counts - left + phase) / np.maximum(counts, 1), np.inf)

    _fill_in_turn(mask, allowed, samples, rng, order)


def kt_golden(mask: Mask, allowed: Mask, samples: int, rng: np.random.Generator) -> None:
    """Fill every frame of `mask` (frame, position) up to `samples` with golden-step lines.

    Lines are evenly spaced where one step is one over the density, and all advance by the golden
    section of a step from each frame to the next.
    """
    lines, free = samples - int(np.count_nonzero(mask[0])), _free(mask, allowed)
    if lines:
        edges = np.cumsum(_density(mask.shape[1], free, lines))
        edges[-1] = lines
        steps = (rng.random() + _GOLDEN * np.arange(len(mask))) % 1
        taken = np.searchsorted(edges, np.arange(lines) + steps[:, None], side="right")
        mask[np.arange(len(mask))[:, None], free[taken]] = True


def _fill_in_turn(
    mask: Mask,
    allowed: Mask,
    samples: int,
    rng: np.random.Generator,
    order: Callable[[NDArray[np.intp], NDArray[np.intp]], Density],
) -> None:
    """Give each line its number of frames, frame by frame.

    Every frame takes the lines that come first in `order` (a function of how often each line is
    taken and how often still), and before them those that every frame left must take.
    """
    lines, free = samples - int(np.count_nonzero(mask[0])), _free(mask, allowed)
    if not lines:
        return
    edges = np.cumsum(_density(mask.shape[1], free, lines)) * len(mask)
    edges[-1] = lines * len(mask)
    whole = np.floor(edges + rng.random()).astype(np.intp)
    counts: NDArray[np.intp] = whole - np.concatenate([[0], whole[:-1]])
    left = counts.copy()
    for frame in range(len(mask)):
        when = np.where(left >= len(mask) - frame, -1, order(counts, left))
        taken = np.argpartition(when, lines - 1)[:lines]
        mask[frame, free[taken]] = True
        left[taken] -= 1


def _free(mask: Mask, allowed: Mask) -> NDArray[np.intp]:
    """Lines to choose from: outside the centre that every frame has."""
    return np.flatnonzero(allowed & ~mask[0])


def _density(positions: int, free: NDArray[np.intp], lines: int) -> Density:
    """Density of `lines` per frame over the free ones: at most 1, and `lines` in all."""
    spacing = 1 + _FALL * np.abs(free - positions // 2) * (2 / positions)
    low, high = 0.0, float(positions * (1 + _FALL))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if np.minimum(middle / spacing, 1).sum() < lines else (low, middle)
        )
    density: Density = np.minimum(high / spacing, 1)
    return density
