"""Ways to train a network in several processes at once, made to be timed on one batch.

Greedy learning in one process; its modules in a pipeline of processes, between which images travel
(parallel GLEAM); end-to-end training in such a pipeline, where gradients travel back (1F1B,
`torch.distributed.pipelining`); and end-to-end training of a whole network in each process, whose
gradients are averaged (data parallelism).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, repeat
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe

from gleam.data.batch import Batch
from gleam.networks import Unrolled
from gleam.parallel.group import Group
from gleam.parallel.neighbours import ALONE, Neighbours, Note
from gleam.parallel.pipeline import Pipeline
from gleam.parallel.placement import partition
from gleam.physics.measurement import Measurement
from gleam.physics.sense import Sense
from gleam.recipe import BY_ITSELF, END_TO_END, Recipe
from gleam.runs.assembly import make_learner, make_modules, part_of
from gleam.runs.initial import initial
from gleam.runs.learner import Learner
from gleam.training.loss import LOSSES
from gleam.training.meter import metered
from gleam.training.module import GreedyModule


@dataclass(frozen=True)
class Way:
    """A way to train.

    Attributes:
        modules: that this process holds.
        steps: makes so many, one at a time; with a list, also notes there the bytes that each took.
    """

    modules: list[GreedyModule]
    steps: Callable[[int, list[int] | None], Iterator[None]]


def sequential(recipe: Recipe, batch: Batch, _: Group) -> Way:
    """Greedy learning in one process, whatever the others do."""
    return _learning(make_learner(_network(recipe, batch), recipe), batch)


def pipeline(recipe: Recipe, batch: Batch, group: Group) -> Way:
    """Parallel GLEAM: every process holds as many modules."""
    count, numbers = len(recipe.module_sizes()), 2 * recipe.network.iterations
    mine = _share(list(range(count)), group)
    part = part_of(_network(recipe, batch), recipe, range(mine[0], mine[-1] + 1))
    learner = make_learner(part, recipe, range(mine[0], mine[-1] + 1))
    shape = part.state_shape(batch.measurement.adjoint.shape)

    def neighbours(steps: int) -> Pipeline:
        return Pipeline(group, lambda: repeat(shape, steps), steps, numbers)

    return _learning(learner, batch, neighbours)


def data_parallel(recipe: Recipe, batch: Batch, group: Group) -> Way:
    """End-to-end training, a whole network in every process; each has its own batch.

    Gradients are averaged once all are there, as the network is one module.
    """
    recipe = end_to_end(recipe)
    replicas = replace(
        group,
        pipeline_size=1,
        replicas=group.world_size,
        replica_group=dist.group.WORLD,
        upstream=None,
        downstream=None,
    )

    def neighbours(steps: int) -> Pipeline:
        return Pipeline(replicas, lambda: iter(()), steps, 2 * recipe.network.iterations)

    return _learning(make_learner(_network(recipe, batch), recipe), batch, neighbours)


def one_f_one_b(recipe: Recipe, batch: Batch, group: Group) -> Way:
    """End-to-end training in a pipeline of equal parts; a batch's slices are its microbatches.

    Gradients are not clipped: their norm is of the whole network, and each process knows its part.
    """
    network = _network(recipe, batch)
    assert isinstance(batch.measurement, Measurement)
    assert batch.target is not None
    known, target, start = batch.measurement, batch.target, network.start(batch.measurement)
    mine = _share([*network.iterations[network.frozen :]], group)
    alone = end_to_end(recipe, len(mine))
    (module,) = make_modules(Unrolled(mine, network.state), alone)
    module = replace(module, clip=None)
    place, pipeline_size, slices = group.pipeline_rank, group.pipeline_size, len(start)

    def loss(output: Tensor, goal: Tensor) -> Tensor:
        image = network.image(torch.view_as_complex(output))
        return LOSSES[recipe.training.loss](batch.core(image), batch.core(goal))

    image = torch.view_as_real(start[:1])
    first, last = (image.clone().requires_grad_(learns) for learns in (place > 0, True))
    stage = PipelineStage(_Stage(mine, known.axes), place, pipeline_size, group.device, first, last)
    # With fewer microbatches than stages both are the same, forward through all stages and back,
    # and Schedule1F1B refuses.
    kind = Schedule1F1B if slices >= pipeline_size else ScheduleGPipe
    schedule = kind(stage, slices, loss)
    told: dict[str, Any] = {"maps": known.sense.maps, "mask": known.sense.mask}
    told |= {"adjoint": known.adjoint, "noise": known.noise}
    if place == pipeline_size - 1:
        told["target"] = target
    inputs = (torch.view_as_real(start),) if place == 0 else ()

    def steps(count: int, memories: list[int] | None) -> Iterator[None]:
        for step in range(count):
            work = partial(schedule.step, *inputs, **told)
            if memories is None:
                work()
            else:
                memories.append(metered(work, group.device)[1])
            module.set_rate(step)
            module.update()
            yield

    return Way([module], steps)


WAYS: dict[str, Callable[[Recipe, Batch, Group], Way]] = {
    "sequential": sequential,
    "pipeline": pipeline,
    "one_f_one_b": one_f_one_b,
    "data_parallel": data_parallel,
}


def end_to_end(recipe: Recipe, iterations: int | None = None) -> Recipe:
    """One module of all iterations that are trained, or of so many, that stores everything."""
    training = END_TO_END | {"storage": "store", "offload_to": None}
    if iterations is None:
        return recipe.changed(training=training)
    training |= BY_ITSELF
    return recipe.changed(network={"iterations": iterations}, training=training)


def _network(recipe: Recipe, batch: Batch) -> Unrolled:
    """Before its first step, where the batch is."""
    return initial(recipe).to(batch.measurement.adjoint.device)


def _learning(
    learner: Learner, batch: Batch, neighbours: Callable[[int], Neighbours] = lambda _: ALONE
) -> Way:
    """Steps of a learner, which tells its losses to the next process as training does."""

    def steps(count: int, memories: list[int] | None) -> Iterator[None]:
        learner.neighbours = neighbours(count)
        for step in range(count):
            if memories is None:
                losses = learner.step(batch, step)
            else:
                losses, cost = learner.metered_step(batch, step)
                memories.append(cost.step)
            values = torch.stack([*losses.values()]).tolist()
            note = learner.neighbours.receive_note(Note(losses=dict(enumerate(values))), 0)
            learner.neighbours.send_note(note)
            yield
        learner.neighbours.close()

    return Way(list(learner.modules), steps)


def _share(parts: list[Any], group: Group) -> list[Any]:
    """Those of this process, of parts that cost the same."""
    ends = [0, *accumulate(partition([1.0] * len(parts), group.pipeline_size))]
    return parts[ends[group.pipeline_rank] : ends[group.pipeline_rank + 1]]


class _Stage(nn.Module):
    """Iterations as `torch.distributed.pipelining` wants them: real tensors in and out."""

    def __init__(self, iterations: list[nn.Module], axes: tuple[int, ...]) -> None:
        super().__init__()
        self.iterations = nn.ModuleList(iterations)
        self.axes = axes

    def forward(
        self,
        image: Tensor,
        maps: Tensor,
        mask: Tensor,
        adjoint: Tensor,
        noise: Tensor | None,
    ) -> Tensor:
        measurement = Measurement(Sense(maps, mask, self.axes), adjoint, noise)
        state = torch.view_as_complex(image)
        for iteration in self.iterations:
            state = iteration(state, measurement)
        return torch.view_as_real(state)
