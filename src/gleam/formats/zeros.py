"""Exact zeros of a file that says nothing else: they tell what was not sampled.

A line of k-space, along the readout, is missing if all of it is zero. A single zero in a line is a
sample: integers of few channels are zero by chance. Numbers with fractions are not, so lines of
which much is missing stay so: the k-space was not acquired line by line.

Where the readout is not known, every zero of numbers with fractions is a gap. Integers, scaled or
not, are taken to have their lines along the axis on which they are nearly full, if there is one: a
pattern of single points in the plane of two phase-encoding axes, or an ellipse in it, has none.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from gleam.formats.scan import Array

_FULL = 0.75  # of the samples in lines are not zero,
_HALF = 0.5  # and of each line at least this,
_FEW = 0.1  # but for so many of the lines
_LARGEST_INTEGER = 2.0**20  # of converters and sums of few; single precision has nothing beyond 2²⁴
_NEAR = 0.1  # to an integer, as scaled ones are in single precision


def non_zero(coils: Iterable[NDArray[np.complexfloating]]) -> NDArray[np.bool_]:
    """Positions at which some coil of a slice holds data: (frame, *space) bool.

    Args:
        coils: (frame, *space) complex of each.
    """
    pattern = np.zeros((), np.bool_)  # its size comes from data, not from what a file claims
    with np.errstate(invalid="ignore"):  # some NaNs complain when they are compared
        for coil in coils:
            pattern = pattern | (coil != 0)
    return pattern


def less_filling(
    sampled: NDArray[np.bool_],
    slices: Iterable[Iterable[NDArray[np.complexfloating]]],
    across: Iterable[tuple[int, ...]],
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Sampled lines less those that a vendor filled with zeros, in all slices alike.

    As many slices are read as it takes to find data in every line: one, if nothing was filled in.
    An empty slice says nothing.

    Args:
        sampled: (frame, *space) bool, any axis may have length 1; the lines that are there.
        slices: coils of each, (frame, *space) complex.
        across: the axes of `sampled` along which each kind of line runs, readouts or columns.

    Returns:
        What of `sampled` holds data, and warnings as in `Scan`.
    """
    kinds = list(across)
    kept, differ = np.zeros_like(sampled), False
    for coils in slices:
        found = non_zero(coils)
        own = sampled.copy()
        for axes in kinds:
            own &= found.any(axis=axes, keepdims=True)
        differ |= bool(kept.any() and own.any() and (own != kept).any())
        kept |= own
        if (kept == sampled).all():
            break
    warning = (
        "some of its slices are zero where others hold data; what one of them holds counts as "
        "sampled in all"
    )
    return kept, (warning,) if differ else ()


def sampled_by_zeros(
    slices: Iterable[Iterable[Array]], readout: int | None
) -> list[NDArray[np.bool_]]:
    """The positions of each slice that were sampled, by where its k-space is zero.

    Args:
        slices: of each, the coils, (frame, *space) complex.
        readout: index into `space` of the axis along which lines run; None if unknown.

    Returns:
        (frame, *space) bool of each slice; slices that are alike share theirs.
    """
    distinct: dict[bytes, NDArray[np.bool_]] = {}
    keys, integers = [], _Integers()
    for coils in slices:
        pattern = non_zero(integers.watched(coils))
        keys.append(np.packbits(pattern).tobytes())
        distinct.setdefault(keys[-1], pattern)
    along = _along(list(distinct.values()), readout, integers.all_are)
    if along is not None:
        columns = _not_empty(distinct.values(), along)
        for key, pattern in distinct.items():
            distinct[key] = pattern.any(1 + along, keepdims=True) & columns
    return [distinct[key] for key in keys]


class _Integers:
    """Whether all numbers that pass are integers, or multiples of one number."""

    def __init__(self) -> None:
        self.all_are = True

    def watched(self, coils: Iterable[Array]) -> Iterator[Array]:
        for coil in coils:
            self.all_are = self.all_are and _are_integers(coil)
            yield coil


def _are_integers(values: Array) -> bool:
    """Whether all are multiples of the smallest; where zeros come by chance, ones do, too."""
    sizes = np.abs(np.stack([values.real, values.imag]))
    sizes = sizes[sizes > 0]
    if not sizes.size:
        return True
    smallest, largest = float(sizes.min()), float(sizes.max())
    if not largest <= _LARGEST_INTEGER * smallest:
        return False
    multiples = sizes / smallest
    return bool((np.abs(multiples - np.rint(multiples)) <= _NEAR).all())


def _along(patterns: list[NDArray[np.bool_]], readout: int | None, integers: bool) -> int | None:
    """The axis of `space` along which lines are missing as a whole, if there is one.

    Args:
        patterns: (frame, *space) of each slice, where it is not zero.
        readout: see `sampled_by_zeros`.
        integers: whether zeros may come by chance.
    """
    if readout is not None:
        return readout if integers or _fullness(patterns, readout) else None
    if not integers:
        return None
    full = {axis: _fullness(patterns, axis) for axis in range(patterns[0].ndim - 1)}
    best = max(full, key=lambda axis: full[axis])
    return best if full[best] else None


def _fullness(patterns: list[NDArray[np.bool_]], axis: int) -> float:
    """Share of the lines along an axis that is not zero, empty ones left out; 0 if not nearly
    all."""
    width = int(_not_empty(patterns, axis).sum())
    filled = np.concatenate([pattern.sum(1 + axis).ravel() for pattern in patterns])
    shares = filled[filled > 0] / max(width, 1)
    if not shares.size or shares.mean() < _FULL or np.quantile(shares, _FEW) <= _HALF:
        return 0.0
    return float(shares.mean())


def _not_empty(patterns: Iterable[NDArray[np.bool_]], axis: int) -> NDArray[np.bool_]:
    """Positions along an axis of `space` that some line has, over all slices and frames.

    Returns:
        bool with the axis's length, and 1 along all others.
    """
    found = np.zeros((), np.bool_)
    for pattern in patterns:
        others = tuple(other for other in range(pattern.ndim) if other != 1 + axis)
        found = found | pattern.any(others, keepdims=True)
    return found
