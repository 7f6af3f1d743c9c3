"""What the tests of parallel training have several processes do."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from toys import toy_measurement, toy_network, toy_sense

from gleam.parallel.group import Group
from gleam.parallel.link import Inbox, Outbox
from gleam.parallel.meeting import process_group, world_size
from gleam.parallel.placement import Placement
from gleam.parallel.replicas import Replicas
from gleam.physics.measurement import Measurement
from gleam.physics.sense import Sense
from gleam.recipe import Recipe
from gleam.runs.learner import Learner
from gleam.runs.train import train
from gleam.training.flow import train_step
from gleam.training.greedy import split
from gleam.training.loss import l1
from gleam.training.module import GreedyModule
from gleam.training.schedule import warmup_cosine
from gleam.training.storage import store

Arrays = list[NDArray[np.floating]]


def run(
    recipe: Recipe,
    folder: Path,
    resume: bool = False,
    replicas: int = 1,
    lengths: Sequence[int] | None = None,
) -> bool:
    return train(recipe, folder, resume, placement=Placement(replicas, lengths, timeout=60.0))


def disagree(recipes: Sequence[Recipe], folder: Path) -> bool:
    """Every process with a recipe of its own."""
    return run(recipes[int(os.environ["RANK"])], folder)


def see_other_folders(recipe: Recipe, folder: Path) -> bool:
    """Every process with a disk of its own."""
    return run(recipe, folder / os.environ["RANK"])


def never_come(recipe: Recipe, folder: Path, timeout: float) -> bool | None:
    """The last process does not, the others wait for so many seconds."""
    if int(os.environ["RANK"]) == world_size() - 1:
        return None
    return train(recipe, folder, placement=Placement(timeout=timeout))


class Counting(Inbox):
    """Says when a tensor is taken out."""

    def _post(self, count: int) -> None:
        if count == 1:
            self.group.store.add("taken", 1)
        super()._post(count)


def through_a_link(planned: int, sent: int) -> list[float]:
    """The sender: how many were on their way after each; the slow receiver: what it got."""
    shapes = [(1 + n, 2) for n in range(planned)]
    with process_group(1, 60.0) as group:
        assert group.store is not None
        seen = []
        if group.downstream:
            out = Outbox(group.downstream, 0, torch.empty(0), iter(shapes))
            for n in range(sent):
                out.put(torch.full(shapes[n], float(n)))
                seen.append(n + 1 - group.store.add("taken", 0))
            out.close()
        elif group.upstream:
            Counting.group = group
            box = Counting(group.upstream, 0, torch.empty(0), iter(shapes))
            for n in range(sent):
                time.sleep(0.02)
                got = box.get()
                assert got.shape == shapes[n]
                seen.append(got.mean().item())
            box.close()
        return seen


class Recording(torch.optim.Adam):
    """Remembers the gradients of its first step."""

    def step(self, closure: None = None) -> None:
        if not hasattr(self, "first"):
            self.first = [p.grad.clone() for p in self.param_groups[0]["params"]]
        super().step()


def learn_as_replicas(
    steps: int, batch: int, dtype: torch.dtype
) -> tuple[Arrays, Arrays, list[float]]:
    """First gradients, last weights and the last losses; the batch is divided among processes."""
    with process_group(world_size(), 60.0) as group:
        network = toy_network("modl", iterations=3)
        network = network.double() if dtype == torch.complex128 else network
        modules = [
            GreedyModule(part, store, Recording(part.parameters()), rate, clip=0.01)
            for part in split(network.iterations, [1, 1, 1])
        ]
        replicas = Replicas(group) if group.replicas > 1 else None
        for step in range(steps):
            sense = toy_sense(batch=batch, seed=10 * step, dtype=dtype)
            measurement, target = toy_measurement(sense, seed=10 * step + 2)
            part, own = share(measurement, target, group)
            average = replicas.average if replicas else None
            losses = train_step(modules, part.adjoint, part, own, l1, step, average=average)
            if replicas:
                replicas.finish()
        return (
            [gradient.numpy() for module in modules for gradient in module.optimizer.first],
            [p.detach().numpy() for p in network.parameters()],
            [loss.item() for loss in losses.values()],
        )


def rate(step: int) -> float:
    return warmup_cosine(step, 1e-2, 5, 50)


def share(measurement: Measurement, target: Tensor, group: Group) -> tuple[Measurement, Tensor]:
    part, parts = group.share
    own = slice(part * len(target) // parts, (part + 1) * len(target) // parts)
    sense = measurement.sense
    less = Sense(sense.maps[own], sense.mask[own], sense.axes, sense.coils_at_once)
    assert measurement.noise is not None
    return Measurement(less, measurement.adjoint[own], measurement.noise[own]), target[own]


def run_out_of_memory(recipe: Recipe, folder: Path, rank: int) -> bool:
    """One process, of these, at its sixth step."""
    learn = Learner.learn

    def refuse(self: Learner, state: Any, batch: Any, t: int, *rest: Any, **more: Any) -> Any:
        if t == 5 and int(os.environ["RANK"]) == rank:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return learn(self, state, batch, t, *rest, **more)

    Learner.learn = refuse  # type: ignore[method-assign]
    return run(recipe, folder)
