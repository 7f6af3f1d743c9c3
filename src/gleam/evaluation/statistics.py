"""Means with bootstrap confidence intervals; what is drawn again and again are *scans*.

Slices of one scan share anatomy, coils and noise, so they are not independent: drawing slices
would make intervals too narrow. A scan is drawn with all its slices.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean and its confidence interval.

    Attributes:
        mean: over all values.
        low: lower end of the interval; NaN where there is none (fewer than two scans).
        high: upper end.
        scans: how many scans have a value.
    """

    mean: float
    low: float
    high: float
    scans: int

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out zero; False where there is none."""
        return self.low > 0 or self.high < 0


def bootstrap_mean(
    values: Sequence[float], scans: Sequence[str], *, resamples: int = 4000, seed: int = 0
) -> Estimate:
    """Mean of `values` with its 95 % percentile interval from drawing scans with replacement.

    With few scans (fewer than about ten) such intervals are known to be somewhat too narrow.

    Args:
        values: one per slice, or one per scan; NaN means not defined and is left out.
        scans: the scan of each value; values of one scan stay together.
        resamples: how many times a set of as many scans is drawn.
        seed: the same seed gives the same interval.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13; whole scans
    as in Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8.
    """
    sums, counts = _by_scan(values, scans)
    if not len(sums):
        return Estimate(math.nan, math.nan, math.nan, 0)
    with np.errstate(invalid="ignore"):  # ∞ − ∞, where two methods failed on different scans
        mean = float(sums.sum() / counts.sum())
    if len(sums) < 2 or not math.isfinite(mean):
        return Estimate(mean, math.nan, math.nan, len(sums))
    drawn = np.random.default_rng(seed).integers(len(sums), size=(resamples, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Estimate(mean, float(low), float(high), len(sums))


def paired_difference(
    values: Sequence[float], others: Sequence[float], scans: Sequence[str], *, seed: int = 0
) -> Estimate:
    """Mean of `values` − `others`, both of the same slices or scans, with its interval.

    Easy and hard scans are so for both, which cancels in the differences: two methods can differ
    surely although the intervals of their means overlap.
    """
    return bootstrap_mean([a - b for a, b in zip(values, others, strict=True)], scans, seed=seed)


def _by_scan(
    values: Sequence[float], scans: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and number of the values of each scan that has any."""
    groups: dict[str, list[float]] = {}
    for value, scan in zip(values, scans, strict=True):
        if not math.isnan(value):
            groups.setdefault(scan, []).append(value)
    sums = np.array([sum(group) for group in groups.values()], dtype=np.float64)
    counts = np.array([len(group) for group in groups.values()], dtype=np.float64)
    return sums, counts
