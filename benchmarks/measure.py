"""What every benchmark shares: interleaved times in one process, and how a figure is written."""

import platform
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

Figures = dict[str, dict[str, Any]]


def interleaved(works: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each work, taken in turn so that drift of the machine's speed hits all alike.

    The first turn sets things up and does not count.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(1 + repeats):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if turn:
                times[name].append(time.perf_counter() - start)
    return times


def ratio(times: Mapping[str, list[float]], above: str, below: str) -> float:
    """Median of the ratios turn by turn."""
    return statistics.median(a / b for a, b in zip(times[above], times[below], strict=True))


def figure(value: float, unit: str, benchmark: str) -> dict[str, Any]:
    """One entry of the results."""
    return {
        "value": float(f"{value:.4g}"),
        "unit": unit,
        "command": f"OMP_NUM_THREADS=1 python -m benchmarks.{benchmark}",
        "hardware": hardware(),
    }


def hardware() -> str:
    """The CPU in words."""
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return f"{names[0] if names else platform.machine()}, {torch.get_num_threads()} thread"


def show(figures: Figures) -> None:
    """Print figures, one a line."""
    for name, entry in figures.items():
        print(f"{name}: {entry['value']} {entry['unit']} ({entry['hardware']})", flush=True)
