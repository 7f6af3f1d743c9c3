"""Peak memory and time of a training step: end-to-end, checkpointing, greedy.

8 iterations, residual CNN of 2 blocks and 32 features, 128 × 128, 6 coils, one thread; one slice
per batch, and four. Memory is the peak of what a step allocates (activations and gradients), and
"with weights" also counts weights and Adam's states, which lie there all the time.
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

ITERATIONS, SIZE, COILS = 8, 128, 6
REPEATS = 11
SCHEMES = {
    "end_to_end": TrainingRecipe(modules=1),
    "checkpoint": TrainingRecipe(modules=1, storage="checkpoint"),
    "greedy8": TrainingRecipe(modules=ITERATIONS),
}


def run() -> Figures:
    """Measure; figures by name."""
    figures: Figures = {}
    for family in ("pgd", "modl"):
        for batch in (1, 4):
            prefix = ("" if family == "pgd" else "modl.") + ("" if batch == 1 else "batch4.")
            figures |= {
                f"{kind}.{prefix}{name}": figure(value, unit, "schemes")
                for kind, name, value, unit in compare(family, batch)
            }
    return figures


def compare(family: str, batch: int) -> list[tuple[str, str, float, str]]:
    """(memory or time, name, value, unit) of all schemes and their ratios."""
    made = {name: scheme(family, batch, training) for name, training in SCHEMES.items()}
    work = {name: one[1] for name, one in made.items()}
    whole = {name: one[1] + one[2] for name, one in made.items()}
    times = interleaved({name: one[0] for name, one in made.items()}, REPEATS)
    over = "greedy8_over_end_to_end"
    figures = [
        ("memory", over, work["greedy8"] / work["end_to_end"], "ratio"),
        ("memory", f"{over}_with_weights", whole["greedy8"] / whole["end_to_end"], "ratio"),
        ("time", over, ratio(times, "greedy8", "end_to_end"), "ratio"),
        ("time", "checkpoint_over_greedy8", ratio(times, "checkpoint", "greedy8"), "ratio"),
        ("time", "checkpoint_over_end_to_end", ratio(times, "checkpoint", "end_to_end"), "ratio"),
    ]
    for name in SCHEMES:
        figures.append(("memory", f"{name}_with_weights", whole[name] / 2**20, "MiB"))
        figures.append(("time", name, statistics.median(times[name]), "s per step"))
    return figures


def scheme(
    family: str, batch: int, training: TrainingRecipe
) -> tuple[Callable[[], list[Tensor]], int, int]:
    """A training step, the peak of what it allocates, and what lies there, in bytes."""
    fields = {"family": family, "iterations": ITERATIONS, "cg_steps": 10}
    recipe = Recipe(network=NetworkRecipe.model_validate(fields), training=training)
    modules = make_modules(build(recipe.network), recipe)
    measurement, target = problem(batch)
    step = partial(train_step, modules, measurement, target, l1, 0)
    step()
    _, work = metered(step, torch.device("cpu"))
    return step, work, state_bytes(modules)


def problem(batch: int) -> tuple[Measurement, Tensor]:
    """Random data of the right shapes; neither time nor memory depends on the values."""
    random = torch.Generator().manual_seed(0)
    size = (SIZE, SIZE)
    maps = torch.randn(batch, 1, COILS, 1, *size, dtype=torch.complex64, generator=random)
    maps /= maps.abs().square().sum(2, keepdim=True).sqrt()
    lines = torch.rand(batch, 1, 1, 1, SIZE, generator=random) < 0.25
    sense = Sense(maps, lines, (-1,))
    target = torch.randn(batch, 1, 1, *size, dtype=torch.complex64, generator=random)
    return Measurement(sense, sense.normal(target)), target


if __name__ == "__main__":
    torch.set_num_threads(1)
    show(run())
