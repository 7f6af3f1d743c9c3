"""A series that stopped early: its last repetition lacks lines, and is told from what was meant.

What was being acquired when the scan stopped is the last repetition, or the last value of whichever
counter was the outermost loop: a phase, set, contrast, or slice. It was not finished if

- another has all its lines and more, and these come first there in time; or, of repetitions, if all
  others, two or more, have one pattern; unless it lacks whole frames alone, as heartbeats differ;
- its slices were not sampled alike, but those of all others were; or
- it lacks many lines of a series whose patterns change from frame to frame: more than their
  numbers differ elsewhere, and one in each slice.

One with the same pattern as another was finished. So keyholes and interleaved or random patterns
stay. Averages do not count: a line is there if one average of it is. Nor do lines for calibration
and imaging that one repetition has alone. Where slices were visited in turn, and once, it is the
last phase encoding that some of them lack.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gleam.formats.mrd.head import CALIBRATION_AND_IMAGING, FRAME, Records, flagged

_STEPS = ("kspace_encode_step_1", "kspace_encode_step_2")
_NAMES = {name: name for name in (*FRAME, "slice")} | {_STEPS[0]: "phase encoding"}


@dataclass(frozen=True)
class _Last:
    """The lines that were acquired last, by one counter.

    Attributes:
        counter, value: it.
        lines: (line,) those that belong to it, in time.
        places: how many lines it has, averages counted once.
        whole: how many it should have.
    """

    counter: str
    value: int
    lines: NDArray[np.bool_]
    places: int
    whole: int


def unfinished(
    heads: Records, imaging: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """The lines of what was not finished, as few as will do, and the warning.

    Args:
        heads: (acquisition,) of dtype `ACQUISITION_HEADER`.
        imaging: (acquisition,) those that make the scan; some do.

    Returns:
        (acquisition,) the lines to leave out, and none or one warning, as in `Scan`.
    """
    index = np.flatnonzero(imaging)
    clock = heads["scan_counter"][index]
    if len(np.unique(clock)) == len(index):  # else the order of the file is that of time
        index = index[np.argsort(clock)]
    ordered = heads[index]
    out = np.zeros(len(heads), np.bool_)
    found = [last for counter in _NAMES if (last := _last(ordered, counter)) is not None]
    if not found:
        return out, ()
    last = min(found, key=lambda last: int(last.lines.sum()))
    out[index[last.lines]] = True
    return out, (
        f"its last {_NAMES[last.counter]}, number {last.value} from 0, was not finished "
        f"({last.places} of {last.whole} lines); it was left out",
    )


def _last(heads: Records, counter: str) -> _Last | None:
    """The last value of a counter, if it was the outermost loop and was not finished."""
    idx = heads["idx"]
    values, start, group = np.unique(idx[counter], return_index=True, return_inverse=True)
    in_turn = np.count_nonzero(np.diff(group)) == len(values) - 1
    if len(values) == 1 or not (in_turn or counter == "repetition"):
        return None
    last = int(start.argmax())
    within = [other for other in (*FRAME, "slice", *_STEPS) if other != counter]
    # Each line once, in time: those of averages after the first go.
    place = _number(*(idx[field] for field in within))
    _, once = np.unique(_number(group, place), return_index=True)
    # Nor those that calibrate, too, and that one repetition alone has: the first, most often.
    alone = np.bincount(place[once])[place[once]] == 1
    once = np.sort(once[~(alone & flagged(heads[once], CALIBRATION_AND_IMAGING))])
    group, place = group[once], place[once]
    if not (group == last).any() or not _stopped(counter, idx[once], group, place, last):
        return None
    sizes = np.bincount(group)
    here = idx[counter] == values[last]
    return _Last(counter, int(values[last]), here, int(sizes[last]), int(sizes.max()))


def _stopped(
    counter: str,
    idx: Records,
    group: NDArray[np.intp],
    place: NDArray[np.intp],
    last: int,
) -> bool:
    """Whether the last group of lines was not finished, by the rules above.

    Args:
        counter: what tells groups apart.
        idx, group, place: (line,) in time; the counters, the group, and the place within it.
        last: the group.
    """
    sizes = np.bincount(group)
    held = np.isin(place, place[group == last])
    shared = np.bincount(group, held, len(sizes)).astype(int)
    others = np.delete(np.arange(len(sizes)), last)
    size, rest = sizes[last], sizes[others]
    if (shared[others][rest == size] == size).any():  # the same pattern
        return False
    alike = len(np.unique(place[group != last])) == rest.min() == rest.max()
    frame = _number(*(idx[field] for field in FRAME if field != counter))
    begun = np.isin(frame, frame[group == last])
    for other in others[shared[others] == size]:  # has all its lines and more
        its = group == other
        lacking = its & ~held
        if counter in _STEPS or (counter != "slice" and not begun[lacking].any()):
            continue
        starts_alike = not lacking[its][:size].any()
        if starts_alike or (counter == "repetition" and alike and len(others) > 1):
            return True
    if counter == "slice":
        return False
    slices = len(np.unique(idx["slice"]))
    pattern = _number(*(idx[field] for field in (*FRAME, *_STEPS)))
    _, first = np.unique(pattern, return_index=True)
    even = np.bincount(group[first], minlength=len(sizes)) * slices == sizes
    if even[others].all() and not even[last]:
        return True
    spread, steps = rest.max() - rest.min(), counter in _STEPS
    return bool(not steps and not alike and len(others) > 1 and size < rest.min() - spread - slices)


def _number(*columns: NDArray[np.integer]) -> NDArray[np.intp]:
    """(line,): one number for each combination that occurs."""
    combined = np.zeros(len(columns[0]), np.intp)
    for column in columns:
        if np.ptp(column) == 0:
            continue
        values, which = np.unique(column, return_inverse=True)
        _, combined = np.unique(combined * len(values) + which, return_inverse=True)
    return combined
