"""Idle modules in files: time of a step over that of modules that stay, and memory of a large run.

The ratio is of a greedy step of 8 iterations, one thread, on a slice of 128 × 128 and 6 coils,
whose weights and Adam's states lie in files: with a residual CNN of 38,000 weights in an iteration,
and a U-Net of 3.9 million, most of them at few positions. Weights are checked to be equal to the
bit. Run alone, it also trains U-Nets in 34 iterations for 3 steps, by its own recipe, into a
temporary folder, and says by how much the anonymous memory of the process (RssAnon) grew at most:
from before the network is made until its last checkpoint is written. `--width 52` makes it 1.4
billion weights, which takes 28 bytes of disk for each.
"""

import argparse
import tempfile
import time
from pathlib import Path
from threading import Event, Thread

import torch

from benchmarks.measure import Figures, figure, show
from benchmarks.schemes import problem
from gleam.comparison.cost import Stepper
from gleam.data.example import write
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import Recipe
from gleam.runs.folder import read_summary
from gleam.runs.train import train
from gleam.simulation import simulate_scan
from gleam.training.timing import interleaved, ratio

REPEATS = 5
ITERATIONS, WIDTH, STEPS, SIZE = 34, 24, 3, 64
CPU = torch.device("cpu")
REGULARISERS: dict[str, dict[str, object]] = {
    "resnet": {},
    "unet": {"kind": "unet", "levels": 4, "width": 16},
}


def run() -> Figures:
    """Measure; figures by name."""
    figures: Figures = {}
    for kind, regulariser in REGULARISERS.items():
        with tempfile.TemporaryDirectory() as folder:
            steppers = {
                where: Stepper(small(where, regulariser), problem(1), CPU)
                for where in ("device", folder)
            }
            times = interleaved(steppers, REPEATS)
        plain, idle = (one.learner.network for one in steppers.values())
        pairs = zip(plain.parameters(), idle.parameters(), strict=True)
        if not all(torch.equal(a, b) for a, b in pairs):
            raise AssertionError("idle modules have learnt something else")
        value = ratio(times[folder], times["device"])
        figures[f"time.idle.{kind}_folder_over_device"] = figure(value, "ratio", "idle")
    return figures


def small(where: str, regulariser: dict[str, object]) -> Recipe:
    """Eight modules."""
    network = {"family": "pgd", "iterations": 8, "regulariser": regulariser}
    return Recipe.model_validate({"network": network, "training": {"modules": 8, "idle": where}})


def large(folder: Path, width: int, iterations: int) -> Figures:
    """Train a large network in files; anonymous memory that it took at most."""
    example = folder / "example.h5"
    write(Prepared(simulate_scan((SIZE, SIZE), 4, 1, 50.0, seed=0), Settings()), example)
    (folder / "idle").mkdir()
    unet = {"kind": "unet", "levels": 4, "width": width}
    recipe = Recipe.model_validate(
        {
            "data": {"train": example},
            "network": {"family": "pgd", "iterations": iterations, "regulariser": unet},
            "training": {
                "modules": iterations, "steps": STEPS, "warmup": 1, "loggers": (),
                "idle": folder / "idle", "checkpoint_every": STEPS,
            },
        }
    )  # fmt: skip
    began = time.perf_counter()
    with Watch() as watch:
        train(recipe, folder / "run", quiet=True)
    summary, seconds = read_summary(folder / "run"), time.perf_counter() - began
    name = f"idle.large{iterations}x{width}"
    values = {
        "weights": (summary["parameters"], "weights"),
        "states": (12 * summary["parameters"] / 2**20, "MiB"),
        "anonymous": (watch.grown / 2**20, "MiB"),
        "step": (summary["peak_memory_bytes"] / 2**20, "MiB"),
        "seconds": (seconds, "s"),
    }
    return {f"{name}.{what}": figure(value, unit, "idle") for what, (value, unit) in values.items()}


class Watch:
    """Looks at this process's anonymous memory, twenty times a second."""

    def __enter__(self) -> "Watch":
        self._begun, self.grown, self._over = anonymous(), 0, Event()
        self._thread = Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.grown = max(self.grown, anonymous() - self._begun)


def anonymous() -> int:
    """Bytes of this process that are no file's."""
    with open("/proc/self/status") as file:
        (line,) = (line for line in file if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=WIDTH, help="features of the large network")
    parser.add_argument("--iterations", type=int, default=ITERATIONS)
    parser.add_argument("--folder", type=Path, help="where its files lie while it trains")
    given = parser.parse_args()
    torch.set_num_threads(1)
    show(run())
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        show(large(Path(place), given.width, given.iterations))
