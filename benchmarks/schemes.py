"""Peak memory and time of a training step, scheme by scheme.

8 iterations, residual CNN of 2 blocks and 32 features, 128 × 128, 6 coils, one thread; one slice
per batch, and four. Memory is the peak of what a step allocates (activations and gradients), and
"with weights" also counts weights and Adam's states, which lie there all the time. Run alone, it
also prints the README's table.
"""

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import Figures, figure, show
from gleam.comparison.cost import Stepper
from gleam.data.batch import Batch
from gleam.physics.measurement import Measurement
from gleam.physics.sense import Sense
from gleam.recipe import NetworkRecipe, Recipe, TrainingRecipe
from gleam.runs.learner import Cost
from gleam.training.timing import interleaved, ratio

ITERATIONS, SIZE, COILS = 8, 128, 6
REPEATS = 11


@dataclass(frozen=True)
class Scheme:
    """A point of the two knobs, and the network it needs if not the family's own."""

    words: str
    training: dict[str, Any]
    network: dict[str, Any]


SCHEMES = {
    "end_to_end": Scheme("end-to-end", {"modules": 1}, {}),
    "checkpoint": Scheme("gradient checkpointing", {"modules": 1, "storage": "checkpoint"}, {}),
    "reversible": Scheme(
        "reversible network", {"modules": 1, "storage": "invert"}, {"family": "reversible"}
    ),
    "offload": Scheme("offloading", {"modules": 1, "storage": "offload"}, {}),
    "greedy8": Scheme("greedy (GLEAM)", {"modules": ITERATIONS}, {}),
    "overlap1": Scheme("greedy, overlapping", {"modules": ITERATIONS, "overlap": 1}, {}),
}
RATIOS = [(name, "end_to_end") for name in SCHEMES if name != "end_to_end"]
RATIOS += [("checkpoint", "greedy8")]


def run() -> Figures:
    """Measure; figures by name."""
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for family in ("pgd", "modl"):
            for batch in (1, 4):
                figures |= compare(family, batch, Path(folder))
    return figures


def compare(family: str, batch: int, folder: Path) -> Figures:
    """Memory and time of all schemes, and their ratios."""
    names = [name for name in SCHEMES if (family, name) != ("modl", "reversible")]
    made = {name: measured(SCHEMES[name], family, batch, folder) for name in names}
    times = interleaved({name: stepper for name, (stepper, _) in made.items()}, REPEATS)
    values: list[tuple[str, str, float, str]] = []
    for name, (_, cost) in made.items():
        values.append(("memory", f"{name}_with_weights", cost.memory / 2**20, "MiB"))
        values.append(("time", name, statistics.median(times[name]), "s per step"))
    for above, below in RATIOS:
        if above in made:
            a, b = made[above][1], made[below][1]
            pair = f"{above}_over_{below}"
            values.append(("memory", pair, a.step / b.step, "ratio"))
            values.append(("memory", f"{pair}_with_weights", a.memory / b.memory, "ratio"))
            values.append(("time", pair, ratio(times[above], times[below]), "ratio"))
    prefix = prefix_of(family, batch)
    return {
        f"{kind}.{prefix}{name}": figure(value, unit, "schemes")
        for kind, name, value, unit in values
    }


def prefix_of(family: str, batch: int) -> str:
    """What comes before a scheme in the name of a figure."""
    return ("" if family == "pgd" else "modl.") + ("" if batch == 1 else f"batch{batch}.")


def measured(
    scheme: Scheme, family: str, batch: int, folder: Path, iterations: int = ITERATIONS
) -> tuple[Stepper, Cost]:
    """A training step, and what it costs."""
    network_fields = {"family": family, "iterations": iterations, "cg_steps": 10, **scheme.network}
    training_fields = dict(scheme.training)
    if scheme.training.get("storage") == "offload":
        training_fields["offload_to"] = folder
    recipe = Recipe(
        network=NetworkRecipe.model_validate(network_fields),
        training=TrainingRecipe.model_validate(training_fields),
    )
    stepper = Stepper(recipe, problem(batch), torch.device("cpu"))
    return stepper, stepper.cost()


def problem(batch: int) -> Batch:
    """Random data of the right shapes; neither time nor memory depends on the values."""
    random = torch.Generator().manual_seed(0)
    size = (SIZE, SIZE)
    maps = torch.randn(batch, 1, COILS, 1, *size, dtype=torch.complex64, generator=random)
    maps /= maps.abs().square().sum(2, keepdim=True).sqrt()
    lines = torch.rand(batch, 1, 1, 1, SIZE, generator=random) < 0.25
    sense = Sense(maps, lines, (-1,))
    target = torch.randn(batch, 1, 1, *size, dtype=torch.complex64, generator=random)
    measurement = Measurement(sense, sense.normal(target))
    return Batch(measurement, target, ["random"] * batch, list(range(batch)), size)


def table(figures: Figures, batch: int = 4) -> str:
    """The README's table of schemes, in Markdown."""
    lines = [
        "| scheme | `modules` | `overlap` | `storage` | PGD: memory, time | MoDL: memory, time |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, scheme in SCHEMES.items():
        knobs = {"overlap": 0, "storage": "store", **scheme.training}
        cells = [scheme.words, *(str(knobs[k]) for k in ("modules", "overlap", "storage"))]
        for family in ("pgd", "modl"):
            prefix = prefix_of(family, batch)
            memory = figures.get(f"memory.{prefix}{name}_with_weights")
            relative = figures.get(f"time.{prefix}{name}_over_end_to_end", {"value": 1.0})
            cells.append(f"{memory['value']:.0f} MiB, {relative['value']:.2f}" if memory else "–")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    torch.set_num_threads(1)
    results = run()
    show(results)
    print(table(results))
