"""Times of several pieces of work, taken in turn: drift of the machine's speed hits all alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

Name = TypeVar("Name")


def interleaved(
    works: Mapping[Name, Callable[[], object]], repeats: int
) -> dict[Name, list[float]]:
    """Seconds of each work, turn by turn.

    The first turn sets things up and does not count.
    """
    times: dict[Name, list[float]] = {name: [] for name in works}
    for turn in range(1 + repeats):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if turn:
                times[name].append(time.perf_counter() - start)
    return times


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Median of the ratios turn by turn."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))
