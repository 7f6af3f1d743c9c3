"""How fast batches are made: read, transformed; by threads, and by processes.

A batch of 4 slices of 96² with 6 coils, and of 320² with 12, undersampled along one axis. *open*
reads it from example files that stay open, *opened* from files that are opened anew for every
slice. *batch* makes all of it on a CPU, one thread, as training on a CPU does. *raw* reads it as
for a GPU, without pinning it, by 1, 2 and 4 threads and, for comparison, 2 processes that hand
nothing over: the least that processes could take. Milliseconds per batch, medians.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

import torch

from benchmarks.measure import Figures, figure, keep, show
from gleam.data.example import find, write
from gleam.data.loader import TrainingBatches
from gleam.data.open_files import kept_open
from gleam.preparation.prepare import Prepared, Settings
from gleam.processes import PROCESSES
from gleam.recipe import MaskRecipe
from gleam.simulation import simulate_scan

SIZES = {"small": (96, 6, 80), "large": (320, 12, 16)}  # pixels along an axis, coils, batches
BATCH = 4
TURNS = 5


def run() -> Figures:
    """Measure; figures by name."""
    figures: Figures = {}
    for size, (pixels, coils, batches) in SIZES.items():
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(4):
                scan = simulate_scan((pixels, pixels), coils, 4, 50.0, seed, 1, f"scan-{seed}")
                write(Prepared(scan, Settings()), Path(folder) / f"{scan.name}.h5")
            ways: dict[str, Callable[[], object]] = {
                "opened": partial(one_by_one, partial(read, folder), batches),
                "open": partial(staying_open, partial(one_by_one, partial(read, folder)), batches),
                "batch": partial(staying_open, partial(one_by_one, partial(make, folder)), batches),
            }
            for count in (1, 2, 4):
                threads = ThreadPoolExecutor(count, "", torch.set_num_threads, (1,))
                several = partial(by, threads, folder)
                ways[f"raw.{count}_threads"] = partial(staying_open, several, batches)
            processes = ProcessPoolExecutor(2, PROCESSES, begin)
            ways["raw.2_processes"] = partial(by, processes, folder, batches)
            turns = [{name: seconds(way) for name, way in ways.items()} for _ in range(1 + TURNS)]
            for name in ways:
                each = statistics.median(turn[name] for turn in turns[1:]) / batches
                figures[f"feeding.{size}.{name}_ms"] = figure(1e3 * each, "ms per batch", "feeding")
            processes.shutdown()
    return figures


def begin() -> None:
    """In each process."""
    torch.set_num_threads(1)
    kept_open().__enter__()


@cache
def loader(folder: str) -> TrainingBatches:
    """Of the example files in a folder."""
    return TrainingBatches(find(Path(folder)), MaskRecipe(), BATCH, 0)


def read(folder: str, step: int) -> int:
    """A batch as for a GPU."""
    return loader(folder).raw(step).maps.nbytes


def make(folder: str, step: int) -> int:
    """All of a batch."""
    return loader(folder).at(step).measurement.adjoint.nbytes


def one_by_one(work: Callable[[int], int], batches: int) -> None:
    """By this thread."""
    for step in range(batches):
        work(step)


def staying_open(work: Callable[[int], None], batches: int) -> None:
    """While files stay open."""
    with kept_open():
        work(batches)


def by(several: Executor, folder: str, batches: int) -> None:
    """By several threads or processes."""
    list(several.map(partial(read, folder), range(batches)))


def seconds(work: Callable[[], object]) -> float:
    """That it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = run()
    show(found)
    keep(found)
