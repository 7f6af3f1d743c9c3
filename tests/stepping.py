"""Trainings of toys, batch by batch, to be compared with their steps replayed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from recorders import spoil
from torch import Tensor
from torch.utils._pytree import tree_leaves
from toys import OF_NETWORK, SHAPES, toy_measurement, toy_sense

from gleam.data.batch import Batch
from gleam.networks import build
from gleam.parallel.neighbours import Alone
from gleam.recipe import Recipe
from gleam.runs.assembly import make_modules
from gleam.runs.learner import Learner
from gleam.training.graph import Recorder
from gleam.training.loss import LOSSES

UNET = {"regulariser": {"kind": "unet"}}
# Family, or more of the network; kind of data; training.
RUNS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "MoDL": ({"family": "modl"}, "2D", {}),
    "MoDL, checkpoint, end-to-end": (
        {"family": "modl"}, "2D", {"storage": "checkpoint", "modules": 1},
    ),
    "MoDL, bf16, no clipping": (
        {"family": "modl", "regulariser": {"bf16": True}}, "2D", {"clip": None},
    ),
    "MoDL, two rates": ({"family": "modl"}, "2D", {"consistency_rate": 30.0}),
    "PGD, cine, SSIM": ({"family": "pgd"}, "2D+t", {"loss": "l1+ssim"}),
    "PGD, U-Net, volume, checkpoint": (
        {"family": "pgd", **UNET}, "3D", {"storage": "checkpoint"},
    ),
    "PGD, patches": ({"family": "pgd", "patch": (7, 6)}, "2D", {}),
    "reversible": ({"family": "reversible"}, "2D", {"loss_weights": "ramped"}),
    "momentum": (
        {"family": "pgd", "regulariser": {"inputs": ["gradient", "change"]}}, "2D", {},
    ),
}  # fmt: skip
ORDER = "AABABDDADBC"  # of batches' shapes; D is C with noise known


def recipe_of(run: tuple[dict[str, Any], str, dict[str, Any]]) -> Recipe:
    network, kind, training = run
    fields = dict(OF_NETWORK[kind])
    sets = fields.pop("sets", 1)
    regulariser = {"width": 4, "blocks": 1, **fields, **network.get("regulariser", {})}
    return Recipe.model_validate(
        {
            "network": {
                "iterations": 2, "cg_steps": 2, "sets": sets, **network, "regulariser": regulariser,
            },
            "training": {"modules": 2, "steps": 20, "warmup": 2, "learning_rate": 0.01, **training},
        }
    )  # fmt: skip


def toy_batch(kind: str, shape: str, number: int) -> Batch:
    """One of four shapes, each time with other numbers in it."""
    of_sense: dict[str, Any] = {"space": (12, 11)} | SHAPES[kind] | {"seed": 7 * number}
    if shape == "B":
        of_sense |= {"batch": 1, "coils": 4}
    if shape in "CD":
        of_sense |= {"space": tuple(n + 2 for n in of_sense["space"])}
    sense = toy_sense(**of_sense)
    measurement, target = toy_measurement(sense, of_sense.get("frames", 1), seed=number)
    measurement = replace(measurement, read=lambda: target)  # of each batch another
    if shape == "C":
        measurement = replace(measurement, noise=None)
    count = len(target)
    return Batch(measurement, target, ["toy"] * count, [0] * count, tuple(target.shape[3:]))


def learner_of(
    recipe: Recipe,
    recorder: Recorder | None,
    device: str = "cpu",
    **others: Any,
) -> Learner:
    network = build(recipe.network).to(device)
    modules = make_modules(network, recipe)
    loss = LOSSES[recipe.training.loss]
    return Learner(network, modules, loss, recorder=recorder, **others)


def learnt(
    learner: Learner, batches: Sequence[Batch], spoiled: bool = True
) -> tuple[list[Tensor], list[Tensor]]:
    """Losses of every step, read when all are done, and the weights."""
    losses = []
    for step, batch in enumerate(batches):
        losses.append(learner.step(batch.to(learner.device), step))
        if spoiled:
            spoil_buffers(learner)
    values = [torch.stack([*one.values()]).cpu() for one in losses]
    return values, [p.detach().cpu() for p in learner.network.parameters()]


def spoil_buffers(learner: Learner) -> None:
    """What a step leaves in its buffers is not for the next one."""
    for shape in learner.graphs._shapes.values():
        for leaf in tree_leaves([shape.results, buffers(shape.inputs)]):
            if isinstance(leaf, Tensor):
                spoil(leaf.untyped_storage())


def buffers(inputs: Any) -> list[Tensor]:
    if inputs is None:
        return []
    state, measurement, *target = inputs
    noise = [] if measurement.noise is None else [measurement.noise]
    return [state, measurement.adjoint, measurement.sense.maps, *noise, *target]


def equal(some: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(some, others, strict=True))


class Delayed(Alone):
    """As replicas do: gradients change in place, and are used while the next module computes."""

    def __init__(self) -> None:
        self.then: Callable[[], None] | None = None

    def average(self, tensors: Sequence[Tensor], then: Callable[[], None]) -> None:
        self.finish()
        for tensor in tensors:
            tensor.mul_(0.75)
        self.then = then

    def finish(self) -> None:
        if self.then:
            self.then()
        self.then = None


class Sending(Alone):
    """Keeps what is sent on."""

    def __init__(self) -> None:
        self.sent: list[Tensor] = []

    def send(self, state: Tensor, wait: bool = False) -> None:
        self.sent.append(state)
