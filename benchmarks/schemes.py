"""Peak memory and time of a training step: end-to-end, checkpointing, greedy.

8 iterations, residual CNN of 2 blocks and 32 features, 128 × 128, 6 coils, 4 slices per batch,
one thread. Memory is that of weights, optimizer state, activations and gradients.
"""

import statistics
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import Figures, figure, interleaved, ratio, show
from gleam.networks import build
from gleam.physics.measurement import Measurement
from gleam.physics.sense import Sense
from gleam.recipe import NetworkRecipe, Recipe, TrainingRecipe
from gleam.training.flow import train_step
from gleam.training.loss import l1
from gleam.training.meter import metered, state_bytes
from gleam.training.trainer import make_modules

ITERATIONS, SIZE, COILS, BATCH = 8, 128, 6, 4
REPEATS = 11
SCHEMES = {
    "end-to-end": TrainingRecipe(modules=1),
    "checkpoint": TrainingRecipe(modules=1, storage="checkpoint"),
    "greedy": TrainingRecipe(modules=ITERATIONS),
}


def run() -> Figures:
    """Measure; figures by name."""
    figures: Figures = {}
    for family in ("pgd", "modl"):
        prefix = "" if family == "pgd" else "modl."
        steps, memory = {}, {}
        for name, training in SCHEMES.items():
            steps[name], memory[name] = scheme(family, training)
        times = interleaved(steps, REPEATS)
        values = {
            f"memory.{prefix}greedy8_over_end_to_end": memory["greedy"] / memory["end-to-end"],
            f"time.{prefix}greedy8_over_end_to_end": ratio(times, "greedy", "end-to-end"),
            f"time.{prefix}checkpoint_over_greedy8": ratio(times, "checkpoint", "greedy"),
        }
        figures |= {key: figure(value, "ratio", "schemes") for key, value in values.items()}
        for name in SCHEMES:
            key, seconds = f"{prefix}{name.replace('-', '_')}", statistics.median(times[name])
            figures[f"memory.{key}"] = figure(memory[name] / 2**20, "MiB", "schemes")
            figures[f"time.{key}"] = figure(seconds, "s per step", "schemes")
    return figures


def scheme(family: str, training: TrainingRecipe) -> tuple[Callable[[], list[Tensor]], int]:
    """A training step, and its peak memory in bytes."""
    network = NetworkRecipe(family=family, iterations=ITERATIONS, cg_steps=10)  # type: ignore[arg-type]
    recipe = Recipe(network=network, training=training)
    modules = make_modules(build(recipe.network), recipe)
    measurement, target = problem()
    step = partial(train_step, modules, measurement, target, l1, 0)
    step()
    _, work = metered(step, torch.device("cpu"))
    return step, work + state_bytes(modules)


def problem() -> tuple[Measurement, Tensor]:
    """Random data of the right shapes; neither time nor memory depends on the values."""
    random = torch.Generator().manual_seed(0)
    size = (SIZE, SIZE)
    maps = torch.randn(BATCH, 1, COILS, 1, *size, dtype=torch.complex64, generator=random)
    maps /= maps.abs().square().sum(2, keepdim=True).sqrt()
    lines = torch.rand(BATCH, 1, 1, 1, SIZE, generator=random) < 0.25
    sense = Sense(maps, lines, (-1,))
    target = torch.randn(BATCH, 1, 1, *size, dtype=torch.complex64, generator=random)
    return Measurement(sense, sense.normal(target)), target


if __name__ == "__main__":
    torch.set_num_threads(1)
    show(run())
