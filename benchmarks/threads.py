"""One thread or as many as there are cores, waiting actively or not; on a quiet machine, or not.

*train*: a step of MoDL, 8 iterations in 8 modules, on one thread; and on all, which wait for each
other as OpenMP has it by default (active), or asleep (passive). *slices*: the network reconstructs
slices one after the other on one thread and on all, which wait asleep; or as many at once as there
are cores, each on one thread. Images of 80 × 80 with 6 coils and of 320 × 320 with 12.

*quiet*: nothing else runs, which whoever starts this has to see to. *busy*: another process keeps
one core busy. Figures are times over those on one thread, medians of the ratios turn by turn; each
time is measured by a process of its own, as PyTorch reads the settings when it is imported.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.measure import Figures, figure, keep, show
from gleam.threads import cores

TURNS = 5
SIZES = {"small": (80, 6, 24), "large": (320, 12, 3)}  # pixels along an axis, coils, repeats


@dataclass(frozen=True)
class Way:
    """Threads of each piece of work, how they wait, and how many pieces are done at once."""

    threads: int
    waiting: str | None = None
    at_once: int = 1


WAYS = {
    "train": {
        "one": Way(1),
        "active": Way(cores()),
        "passive": Way(cores(), "passive"),
    },
    "slices": {
        "one": Way(1),
        "passive": Way(cores(), "passive"),
        "at_once": Way(1, at_once=cores()),
    },
}


def run(turns: int = TURNS) -> Figures:
    """Measure; figures by name."""
    figures: Figures = {}
    for work, ways in WAYS.items():
        for size in SIZES:
            for machine, others in (("quiet", 0), ("busy", 1)):
                with busy(others):
                    times = [
                        {name: seconds(work, size, way) for name, way in ways.items()}
                        for _ in range(turns)
                    ]
                for name, way in list(ways.items())[1:]:
                    ratio = statistics.median(turn[name] / turn["one"] for turn in times)
                    threads = way.threads * way.at_once
                    figures[f"threads.{work}.{size}.{machine}.{name}"] = figure(
                        ratio, "time over one thread's", "threads", threads
                    )
    return figures


def seconds(work: str, size: str, way: Way) -> float:
    """Of a step, or per slice, in a process of its own."""
    environ = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    environ["OMP_NUM_THREADS"] = str(way.threads)
    if way.waiting is not None:
        environ["OMP_WAIT_POLICY"] = way.waiting
    command = [sys.executable, "-m", "benchmarks.threads", work, size, str(way.at_once)]
    done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    return float(done.stdout)


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many other processes keep a core busy each."""
    command = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(command) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def measured(work: str, size: str, at_once: int) -> float:
    """What `seconds` has a process measure: the median of several repeats."""
    import torch

    from gleam.comparison.cost import Stepper
    from gleam.data.collate import Item, collate
    from gleam.preparation.prepare import Prepared, Settings
    from gleam.recipe import MaskRecipe, Recipe
    from gleam.runs.initial import initial
    from gleam.simulation import simulate_scan

    pixels, coils, repeats = SIZES[size]
    example = Prepared(simulate_scan((pixels, pixels), coils, 1, 50.0, 0), Settings())
    batch = collate([Item(example, 0, 0)], MaskRecipe())
    recipe = Recipe().changed(network={"iterations": 8}, training={"modules": 8})
    if work == "train":
        return typical(Stepper(recipe, batch, torch.device("cpu")), repeats)

    network = initial(recipe).requires_grad_(False)
    with ThreadPoolExecutor(at_once, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        several = [batch.measurement] * at_once

        def reconstruct() -> None:
            list(map(network, several) if at_once == 1 else pool.map(network, several))

        return typical(reconstruct, repeats) / at_once


def typical(work: Callable[[], object], repeats: int) -> float:
    """Median of its seconds; the first turns set things up and do not count."""
    times = []
    for _ in range(2 + repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


if __name__ == "__main__":
    if sys.argv[1:]:
        work, size, at_once = sys.argv[1:]
        print(measured(work, size, int(at_once)))
    else:
        figures = run()
        show(figures)
        keep(figures)
