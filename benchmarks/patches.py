"""One iteration in patches: error of its gradients, memory and time of a step against patch size.

A volume of random numbers, 32 × 64 × 64 with 4 coils, F along z and y; a proximal-gradient
iteration whose regulariser is a residual CNN in 3D with 2 blocks of 32 features, or a U-Net of one
level, one block and 16. One greedy step, single precision; the error is the largest relative
difference of the gradient of a weight from the whole's. Memory is the peak of what a step
allocates, weights apart. Run alone, it prints a table. `--large 64 16` instead meters the second
step of 16 greedy modules of one iteration each, of a cube with 64 positions to a side and 4 coils,
whole or in patches of `--patch 16 64 64`.
"""

import argparse
from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import Figures, figure, show
from gleam.comparison.cost import Stepper
from gleam.data.batch import Batch
from gleam.networks import ResNet, UNet, Unrolled, build
from gleam.networks.regulariser import Convolved
from gleam.physics.measurement import Measurement
from gleam.physics.sense import Sense
from gleam.recipe import Recipe
from gleam.training.loss import l1
from gleam.training.meter import metered
from gleam.training.timing import interleaved, ratio

SPACE, COILS, REPEATS = (32, 64, 64), 4, 2
Patch = tuple[int, ...] | None
PATCHES: dict[str, tuple[Patch, ...]] = {
    "resnet": (None, (32, 32, 64), (16, 32, 64), (8, 32, 64)),
    "unet": (None, (32, 32, 64), (16, 32, 64)),
}
FIELDS: dict[str, dict[str, object]] = {
    "resnet": {"width": 32},
    "unet": {"kind": "unet", "width": 16, "levels": 1, "blocks": 1},
}
CPU = torch.device("cpu")


def run() -> Figures:
    """Measure; figures by name."""
    figures: Figures = {}
    batch = problem(SPACE)
    for kind, patches in PATCHES.items():
        network = network_of(kind)
        steps = {patch: partial(learnt, network, batch, patch) for patch in patches}
        whole = steps[None]()
        times = interleaved(steps, REPEATS)
        for patch, step in steps.items():
            _, peak = metered(step, CPU)
            name = f"{kind}.{named(patch)}"
            values = {
                f"memory.patches.{name}": (peak / 2**20, "MiB"),
                f"time.patches.{name}_over_whole": (ratio(times[patch], times[None]), "ratio"),
                f"patches.error.{name}": (worst(step(), whole), "relative error"),
            }
            figures |= {n: figure(value, unit, "patches") for n, (value, unit) in values.items()}
    return figures


def named(patch: Patch) -> str:
    """A patch in the name of a figure."""
    return "whole" if patch is None else "x".join(map(str, patch))


def network_of(kind: str) -> Unrolled:
    """One iteration, as if trained: its last convolution is not zero."""
    network = build(recipe_of(1, 1, None, {"dimensions": 3, **FIELDS[kind]}).network)
    random = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, ResNet | UNet):
            module.last.get_parameter("weight").data.normal_(0, 0.01, generator=random)
    return network


def recipe_of(
    iterations: int, modules: int, patch: Patch, regulariser: dict[str, object]
) -> Recipe:
    """Of a network for volumes."""
    network = {
        "family": "pgd", "iterations": iterations, "patch": patch, "regulariser": regulariser,
    }  # fmt: skip
    return Recipe.model_validate({"network": network, "training": {"modules": modules}})


def problem(space: tuple[int, ...], coils: int = COILS) -> Batch:
    """Random data of the right shapes; neither time nor memory depends on the values."""
    random = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 1, coils, 1, *space, dtype=torch.complex64, generator=random)
    maps /= maps.abs().square().sum(2, keepdim=True).sqrt()
    mask = torch.rand(1, 1, 1, *space[:2], 1, generator=random) < 0.25
    sense = Sense(maps, mask, (-3, -2))
    target = torch.randn(1, 1, 1, *space, dtype=torch.complex64, generator=random)
    measurement = Measurement(sense, sense.normal(target))
    return Batch(measurement, target, ["random"], [0], space)


def learnt(network: Unrolled, batch: Batch, patch: Patch) -> list[Tensor]:
    """The gradients of a greedy step."""
    for module in network.modules():
        if isinstance(module, Convolved):
            module.patch = patch
    measurement, target = batch.measurement.whole(), batch.target
    assert target is not None
    after = network.iterations[0](network.start(measurement), measurement)
    return [*torch.autograd.grad(l1(network.image(after), target), [*network.parameters()])]


def worst(some: list[Tensor], others: list[Tensor]) -> float:
    """The largest relative difference."""
    return max(((a - b).norm() / b.norm()).item() for a, b in zip(some, others, strict=True))


def table(figures: Figures) -> str:
    """In Markdown."""
    lines = ["| regulariser | patch | MiB | time | error of gradients |", "| --- " * 5 + "|"]
    for kind, patches in PATCHES.items():
        for name in map(named, patches):
            memory = figures[f"memory.patches.{kind}.{name}"]["value"]
            time = figures[f"time.patches.{kind}.{name}_over_whole"]["value"]
            error = figures[f"patches.error.{kind}.{name}"]["value"]
            lines.append(f"| {kind} | {name} | {memory:.0f} | {time:.2f} | {error:.0e} |")
    return "\n".join(lines)


def large(side: int, iterations: int, patch: Patch) -> Figures:
    """Two steps of greedy modules: the first makes the optimizers' states."""
    recipe = recipe_of(iterations, iterations, patch, {"dimensions": 3})
    stepper = Stepper(recipe, problem((side,) * 3), CPU)
    cost, name = stepper.cost(), f"memory.patches.{side}.{iterations}_modules.{named(patch)}"
    return {
        name: figure(cost.step / 2**20, "MiB", "patches"),
        f"{name}_with_weights": figure(cost.memory / 2**20, "MiB", "patches"),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", type=int, nargs=2, metavar=("SIDE", "ITERATIONS"))
    parser.add_argument("--patch", type=int, nargs=3, help="of the large one; whole by default")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.large:
        show(large(*given.large, None if given.patch is None else tuple(given.patch)))
    else:
        results = run()
        show(results)
        print(table(results))
