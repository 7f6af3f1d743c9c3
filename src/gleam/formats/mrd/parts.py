"""Division of lines into scans: even stacks of parallel slices that were sampled alike, or slabs.

A file may hold more, and then falls into parts. Each has a name of up to three words:

| where this differs | the word is, for instance |
| --- | --- |
| encoding, as the header numbers them | `encoding1` |
| number of channels | `16ch` |
| orientation of the slices: the plane nearest to it | `sagittal`; of several such `sagittal2` |
| distance, or sampled positions, of parallel slices | `slices0-11`, `slices0-10by2`, `slice4` |
| slab of a 3D scan | `slab0` |

Slices are counted from 0 along their normal, those of each orientation apart; slabs by their index.
A stack is even if every slice lies within a tenth of the distance of its place: positions jitter by
rounding, and a missing slice is ten times that.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gleam.formats.mrd.geometry import (
    DIRECTIONS,
    ONE_PLACE,
    PARALLEL,
    normal_of,
    slice_order,
)
from gleam.formats.mrd.head import Records
from gleam.formats.parts import which_slices

JITTER = 0.1  # of the slice distance
PATTERN = ["frame", "step_1", "step_2", "start", "stop"]  # a line's place within its slice
_PLANES = ("sagittal", "coronal", "transverse")  # their normals are the axes of LPS

Numbers = NDArray[np.intp]


def kinds(heads: Records, imaging: NDArray[np.bool_]) -> Iterator[tuple[str, int, int]]:
    """Word, encoding and channels of what no scan may mix.

    Args:
        heads: (acquisition,) of dtype `ACQUISITION_HEADER`.
        imaging: (acquisition,) those that make scans; some do.
    """
    fields = ("encoding_space_ref", "active_channels")
    found = np.unique(heads[imaging][[*fields]])
    several = [len(np.unique(found[field])) > 1 for field in fields]
    for encoding, channels in found.tolist():
        words = (f"encoding{encoding}", f"{channels}ch")
        yield (
            _joined(w for w, needed in zip(words, several, strict=True) if needed),
            encoding,
            channels,
        )


def stacks(heads: Records, lines: Records, three_d: bool) -> dict[str, Records]:
    """The lines of each part, by its word, which is empty where there is one.

    Args:
        heads: (acquisition,) of dtype `ACQUISITION_HEADER`.
        lines: the table of `lay_out`; slices and frames of each part are counted from 0 again.
        three_d: whether each of its slices is a slab.
    """
    slices, firsts = np.unique(lines["slice"], return_index=True)
    if three_d:
        parts = {f"slab{number}": np.array([number]) for number in slices}
    else:
        with np.errstate(over="ignore", invalid="ignore"):  # places that are none: refused later
            parts = dict(_parallel(heads[lines["index"][firsts]], _patterns(lines)))
    if len(parts) == 1:
        parts = {"": next(iter(parts.values()))}
    return {word: _of(lines, members) for word, members in parts.items()}


def _of(lines: Records, members: Numbers) -> Records:
    own = lines[np.isin(lines["slice"], members)]
    own["slice"] = np.argsort(members)[np.searchsorted(np.sort(members), own["slice"])]
    own["frame"] = np.unique(own["frame"], return_inverse=True)[1]
    return own


def _patterns(lines: Records) -> list[int]:
    """A number for each slice, the same where the same positions were sampled."""
    ordered = np.unique(np.stack([lines[field] for field in ("slice", *PATTERN)], axis=1), axis=0)
    each = np.split(ordered[:, 1:], np.flatnonzero(np.diff(ordered[:, 0])) + 1)
    known: dict[bytes, int] = {}
    return [known.setdefault(one.tobytes(), len(known)) for one in each]


def _parallel(firsts: Records, patterns: Sequence[int]) -> Iterator[tuple[str, Numbers]]:
    """The parts of a 2D scan, by word, each the numbers of its slices in the order of space."""
    orientations = list(_orientations(firsts))
    planes = [_plane(firsts[members[0]]) for members in orientations]
    seen: Counter[str] = Counter()
    for plane, members in zip(planes, orientations, strict=True):
        seen[plane] += 1
        word = f"{plane}{seen[plane] if planes.count(plane) > 1 else ''}"
        members = members[slice_order(firsts[members])]
        alike = np.array(patterns)[members]
        parts = [
            places[run.start : run.stop]
            for pattern in dict.fromkeys(alike.tolist())
            for places in [np.flatnonzero(alike == pattern)]
            for run in _even_runs(firsts[members[places]])
        ]
        for places in sorted(parts, key=lambda places: int(places[0])):
            words = [word] * (len(planes) > 1) + [which_slices(places.tolist())] * (len(parts) > 1)
            yield _joined(words), members[places]


def _orientations(firsts: Records) -> Iterator[Numbers]:
    """The numbers of the slices of each."""
    directions = np.stack([firsts[axis].astype(np.float64) for axis in DIRECTIONS], axis=1)
    left = np.arange(len(firsts))
    if not np.isfinite(directions).all():  # no place in space, which is refused later
        yield left
        return
    while left.size:
        apart = np.abs(directions[left] - directions[left[0]]).max(axis=(1, 2)) >= PARALLEL
        yield left[~apart]
        left = left[apart]


def _plane(first: np.void) -> str:
    return _PLANES[int(np.abs(normal_of(first)).argmax())]


def _even_runs(firsts: Records) -> list[range]:
    """Even stacks that parallel slices, in the order of space, fall into.

    A slice between two distances belongs to the longer stack; of two as long, to the denser.
    """
    centres = firsts["position"].astype(np.float64)
    normal = normal_of(firsts[0])
    stated = np.isfinite(centres).all() and abs(np.linalg.norm(normal) - 1) < PARALLEL
    if not stated or np.ptp(centres, axis=0).max() <= ONE_PLACE:
        return [range(len(centres))]
    along = np.abs((centres - centres[0]) @ normal)
    aside = centres - np.outer(centres @ normal, normal)
    runs, start = [], 0
    while start < len(centres):
        stop = _stop(along, aside, start)
        runs.append(range(start, stop))
        start = max(stop - 1, start + 1) if stop < len(centres) else stop
    taken = np.zeros(len(centres), np.bool_)
    parts = []
    for run in sorted(runs, key=lambda run: (-len(run), along[run[-1]] - along[run[0]])):
        own = np.flatnonzero(~taken[run.start : run.stop]) + run.start
        taken[own] = True
        if own.size:
            parts.append(range(int(own[0]), int(own[-1]) + 1))
    return parts


def _stop(along: NDArray[np.float64], aside: NDArray[np.float64], start: int) -> int:
    """End, exclusive, of the even stack that begins with a slice."""
    least, most = 0.0, np.inf  # what the distance may be
    for number in range(1, len(along) - start):
        step = along[start + number] - along[start]
        least = max(least, step / (number + JITTER))
        most = min(most, step / (number - JITTER))
        shift = np.abs(aside[start + number] - aside[start]).max()
        if least > most or shift > max(JITTER * most, ONE_PLACE):
            return start + number
    return len(along)


def _joined(words: Iterator[str] | Sequence[str]) -> str:
    return "-".join(words)
