"""`widest`: the most features that fit, by asking about few."""

import math
from collections.abc import Callable

import numpy as np

from gleam.planning.footprint import Footprint

WIDEST = 4096  # features that a recipe may say
FILLED = 0.95  # of the memory: a width that fills so much is called the widest


def widest(taken: Callable[[int], Footprint], width: int, memory: int) -> int | None:
    """A multiple of eight that fits and fills most of the memory; None if not even eight fit.

    Args:
        taken: with so many features.
        width: to begin with.
        memory: bytes that there are.
    """
    first = taken(width)
    states = (first.parameters + first.gradients + first.optimizer) / width**2
    known = {0: first.data + first.overhead, width: first.peak}
    low, high = 0, WIDEST + 8  # what fits, as far as is known, and what does not
    nearing = True
    while high - low > 8 and known[low] < FILLED * memory:
        if nearing and low and len(known) > 2 and _where(known, 0.0, memory, 1.0) < low + 8:
            break  # even on the straight line through two that are known, no wider one fits
        guess = _where(known, states, memory) if nearing else (low + high) // 2
        guess = min(max(8 * (guess // 8), low + 8), high - 8)
        known[guess], between = taken(guess).peak, high - low
        low, high = (guess, high) if known[guess] <= memory else (low, guess)
        nearing = high > WIDEST or high - low <= between / 2
    return low or None


def _where(
    known: dict[int, int], states: float, memory: int, share: float = (1 + FILLED) / 2
) -> int:
    """The width that fills a share of the memory, by the two sizes nearest to it: weights and what
    optimizers remember grow with its square, all else with it.
    """
    some, more = sorted(known, key=lambda width: abs(known[width] - memory))[:2]
    light = {width: known[width] - states * width**2 for width in (some, more)}
    slope = (light[more] - light[some]) / (more - some)
    rest = light[some] - slope * some - memory * share
    roots = [root.real for root in np.roots([states, slope, rest]) if root.imag == 0 < root.real]
    return math.floor(min(roots, default=WIDEST))
