"""Times of several pieces of work, taken in turn: drift of the machine's speed hits all alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import torch

Name = TypeVar("Name")


def interleaved(
    works: Mapping[Name, Callable[[], object]],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Name, list[float]]:
    """Seconds of each work, turn by turn.

    The first turn sets things up and does not count.

    Args:
        works: by name.
        repeats: turns that count.
        clock: tells seconds; those of the wall, unless said.
    """
    times: dict[Name, list[float]] = {name: [] for name in works}
    for turn in range(1 + repeats):
        for name, work in works.items():
            start = clock()
            work()
            if turn:
                times[name].append(clock() - start)
    return times


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Median of the ratios turn by turn."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def settled(device: torch.device) -> None:
    """Wait until a device has done what it was given; a CPU has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Stopwatch:
    """Seconds between `start` and `stop` as the device sees them, read when they are needed.

    A GPU works through its queue while the program goes on, so its own clock is asked, and only an
    answer that is called waits for it.

    Args:
        device: that works.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def start(self) -> None:
        """Now."""
        self._began = _now(self._device)

    def stop(self) -> Callable[[], float]:
        """Now; the seconds since `start`, once they are known."""
        return partial(_between, self._began, _now(self._device))


def _now(device: torch.device) -> Any:
    """A time on the device's own clock."""
    if device.type != "cuda":
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    return event


def _between(began: Any, ended: Any) -> float:
    if isinstance(ended, float):
        return ended - float(began)
    ended.synchronize()
    return float(began.elapsed_time(ended)) / 1000
