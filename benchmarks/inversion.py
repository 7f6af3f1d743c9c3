"""How wrong gradients are when iterations are inverted instead of their activations kept.

Relative error of the gradient of all weights against stored activations, single precision, with
and without anchors. A simulated scan, 64 × 64, 4 coils, 4× equispaced lines; the last convolution
of every CNN, zero in an untrained network, is random and as large as in a trained one. Solves run
to 1e-6. Run alone, it prints the tables.
"""

import math
import warnings
from collections.abc import Sequence
from unittest import mock

import torch
from torch import Tensor

from benchmarks.measure import Figures, figure, show
from gleam.data.batch import Batch
from gleam.data.collate import Item, collate
from gleam.networks import ResNet, Unrolled, build
from gleam.networks.invertible import HIGHEST_STEP
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import MaskRecipe, NetworkRecipe
from gleam.simulation import simulate_scan
from gleam.training import storage
from gleam.training.loss import l1

DEPTHS = (2, 4, 8, 16)
WEIGHTS, STEPS = (1.0, 0.2, 0.05), (0.3, 0.6, 0.89)
REVERSIBLE = (1, 8, 32, 64)


def run() -> Figures:
    """Measure; figures by name."""
    scan = Prepared(simulate_scan((64, 64), 4, 1, 50.0, seed=0), Settings())
    batch = collate([Item(scan, 0, 0)], MaskRecipe(kind="equispaced", acceleration=4))
    errors: dict[str, float] = {}
    for name, values in (("weight", WEIGHTS), ("step", STEPS)):
        for value in values:
            for depth in DEPTHS:
                network = inverted(name, value, depth)
                key = f"{name}{value:g}.{depth}"
                errors[f"unanchored.{key}"] = error_of(network, batch, math.inf)
                errors[f"anchored.{key}"] = error_of(network, batch, storage.AIM)
    for depth in REVERSIBLE:
        network = randomised(NetworkRecipe(family="reversible", iterations=depth))
        errors[f"reversible.{depth}"] = error_of(network, batch, storage.AIM)
    return {
        f"inversion.{name}": figure(error, "relative error", "inversion")
        for name, error in errors.items()
    }


def inverted(name: str, value: float, depth: int) -> Unrolled:
    """Memory-efficient learning: MoDL at this λ, or PGD at this μ."""
    fields = {"family": "modl" if name == "weight" else "pgd", "iterations": depth}
    coupled = {"cg_tolerance": 1e-6, "regulariser": {"coupling": True}}
    network = randomised(NetworkRecipe.model_validate({**fields, **coupled}))
    for iteration in network.iterations:
        if name == "weight":
            iteration.get_parameter("log_weight").data.fill_(math.log(value))
            iteration.get_parameter("noise_power").data.fill_(0)  # λ is as it is said
        else:
            iteration.get_parameter("step").data.fill_(value / HIGHEST_STEP).logit_()
    return network


def randomised(recipe: NetworkRecipe) -> Unrolled:
    """As if trained: the deeper, the less each iteration changes."""
    network = build(recipe)
    random = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, ResNet):
            weight = module.last.get_parameter("weight")
            size = 0.1 * min(1, 8 / recipe.iterations) / math.sqrt(weight[0].numel())
            weight.data.normal_(0, size, generator=random)
    return network


def error_of(network: Unrolled, batch: Batch, aim: float) -> float:
    """Of the gradient under `invert`, with anchors for this error of the images."""
    exact = gradient(network, batch, storage.store)
    with mock.patch.object(storage, "AIM", aim), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = gradient(network, batch, storage.invert)
    return ((found - exact).norm() / exact.norm()).item()


def gradient(network: Unrolled, batch: Batch, keep: storage.Storage) -> Tensor:
    """Of the loss at the end, as one vector."""
    measurement, target = batch.measurement, batch.target
    assert target is not None
    output = keep(list(network.iterations), network.start(measurement), measurement)
    of_weights = torch.autograd.grad(l1(network.image(output), target), [*network.parameters()])
    return torch.cat([one.flatten() for one in of_weights])


def table(figures: Figures, name: str, values: Sequence[float]) -> str:
    """In Markdown."""
    head = ["λ" if name == "weight" else "μ", "anchors", *(f"{n} iterations" for n in DEPTHS)]
    lines = [head, ["---"] * len(head)]
    for value in values:
        for kind in ("unanchored", "anchored"):
            errors = [figures[f"inversion.{kind}.{name}{value:g}.{n}"]["value"] for n in DEPTHS]
            cells = [f"{value:g}", "no" if kind == "unanchored" else "yes"]
            lines.append([*cells, *(f"{error:.0e}" for error in errors)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    torch.set_num_threads(1)
    results = run()
    show(results)
    for name, values in (("weight", WEIGHTS), ("step", STEPS)):
        print(f"\n{table(results, name, values)}")
