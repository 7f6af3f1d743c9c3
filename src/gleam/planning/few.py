"""A long network by a short one: which modules stand for all, and what follows from two lengths.

Modules of one length are alike, so what any of them holds is found by the last of a few. And what a
module of many iterations holds, at its first iterations and at its last, grows by the same number
of bytes with every further one.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TypeVar

from gleam.planning.trace import Held, Trace, Work

Numbers = TypeVar("Numbers", Held, Work)

MOST = 8  # iterations that are traced as they are
SHORT, LONGER = 3, 4  # of a module that stands for a longer one


def representatives(sizes: Sequence[int], overlap: int) -> list[int]:
    """Lengths of few modules among which every window of the whole occurs.

    Args:
        sizes: of all modules.
        overlap: how many modules before its own a loss reaches back into.
    """
    enough = overlap + 3 if overlap else 2  # the last window holds less: no later loss needs it
    few = [size for size, run in groupby(sizes) for _ in range(min(len([*run]), enough))]
    if few[:enough] == few[:1] * enough:
        few[0] = 1  # it only stands before the others, which hold its output as well
    return few


def traced(few: Sequence[int], trace: Callable[[list[int]], Trace], regular: bool = True) -> Trace:
    """The trace of modules of these lengths, if need be by those of shorter ones.

    Args:
        few: lengths of modules.
        trace: of modules of any lengths.
        regular: whether every iteration adds as much; where images are kept as anchors, not.
    """
    if not regular or sum(few) <= MOST or max(few) <= LONGER:
        return trace([*few])
    short, longer = (trace([min(size, most) for size in few]) for most in (SHORT, LONGER))
    return _extended(few, short, longer)


def _extended(few: Sequence[int], short: Trace, longer: Trace) -> Trace:
    more = max(few) - LONGER
    longest = Trace()
    for (way, part, k), held in longer.peaks.items():
        before = short.peaks.get((way, part, _shortened(k, few[part])))
        longest.peaks[way, part, k] = held if before is None else _grown(before, held, more)
    for part, work in longer.work.items():
        longest.work[part] = _grown(short.work[part], work, max(0, few[part] - LONGER))
    return longest


def _grown(short: Numbers, longer: Numbers, times: int) -> Numbers:
    """Numbers of what is still longer, by so many times the difference of these."""
    numbers = zip(vars(short).values(), vars(longer).values(), strict=True)
    return type(longer)(*(b + times * (b - a) for a, b in numbers))


def _shortened(k: int, size: int) -> int:
    """The iteration of the short module that stands where this one does: first, inner or last."""
    return k if size <= SHORT or k < 2 else k - 1


def work_of_all(sizes: Sequence[int], few: Sequence[int], trace: Trace) -> Work:
    """The work of all modules, by that of few.

    A module's work contains the ways back of later losses, which the first but one has all of.
    """
    total = Work()
    for size in sizes:
        same = [part for part, length in enumerate(few) if length == size and part in trace.work]
        total = total.plus(trace.work[same[0]])
    return total
