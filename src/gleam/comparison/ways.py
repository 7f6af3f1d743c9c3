"""Ways to train a network in several processes at once, made to be timed on one batch.

Greedy learning in one process; its modules in a pipeline of processes, between which images travel
(parallel GLEAM); end-to-end training in such a pipeline, where gradients travel back (1F1B,
`torch.distributed.pipelining`); and end-to-end training of a whole network in each process, whose
gradients are averaged (data parallelism).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe

from gleam.data.batch import Batch
from gleam.networks import Unrolled
from gleam.physics.measurement import Measurement
from gleam.physics.sense import Sense
from gleam.recipe import END_TO_END, Recipe
from gleam.training.flow import GreedyModule, train_step
from gleam.training.group import Group
from gleam.training.loss import Loss
from gleam.training.pipeline import Note, Pipeline
from gleam.training.problem import for_training, loss_of, make_modules
from gleam.training.replicas import Replicas
from gleam.training.spread import cut
from gleam.training.start import initial

Meter = Callable[[Callable[[], Any]], Any]


@dataclass(frozen=True)
class Way:
    """A way to train.

    Attributes:
        modules: that this process holds.
        steps: makes so many, one at a time; what a step computes is called by the second argument.
    """

    modules: list[GreedyModule]
    steps: Callable[[int, Meter | None], Iterator[None]]


def sequential(recipe: Recipe, batch: Batch, _: Group) -> Way:
    """Greedy learning in one process, whatever the others do."""
    return pipeline(recipe, batch, Group())


def pipeline(recipe: Recipe, batch: Batch, group: Group) -> Way:
    """Parallel GLEAM: every process holds as many modules."""
    network, start, loss, target = _problem(recipe, batch)
    mine, (measurement, _) = _share(make_modules(network, recipe), group), for_training(batch)
    shape, numbers = tuple(start.shape), 2 * recipe.network.iterations

    def steps(count: int, meter: Meter | None) -> Iterator[None]:
        line = Pipeline(group, lambda: iter([shape] * count), count, numbers)
        for step in range(count):
            state = line.receive(lambda: start)
            send = partial(line.send, wait=meter is not None)
            work = partial(train_step, mine, state, measurement, target, loss, step, 0, send)
            losses = work() if meter is None else meter(work)
            values = torch.stack([*losses.values()]).tolist()
            note = line.hear() or Note()
            note.losses |= dict(enumerate(values, len(note.losses)))
            line.tell(note)
            yield
        line.close()

    return Way(mine, steps)


def data_parallel(recipe: Recipe, batch: Batch, group: Group) -> Way:
    """End-to-end training, a whole network in every process; each has its own batch.

    Gradients are averaged once all are there, as the network is one module.
    """
    recipe = end_to_end(recipe)
    network, start, loss, target = _problem(recipe, batch)
    modules, (measurement, _) = make_modules(network, recipe), for_training(batch)
    twins = replace(
        group, places=1, replicas=group.size, twins=dist.group.WORLD, upstream=None, downstream=None
    )

    def steps(count: int, meter: Meter | None) -> Iterator[None]:
        replicas = Replicas(twins)
        for step in range(count):
            inputs = modules, start, measurement, target, loss, step
            work = replicas.finishing(partial(train_step, *inputs, average=replicas.average))
            work() if meter is None else meter(work)
            yield

    return Way(modules, steps)


def one_f_one_b(recipe: Recipe, batch: Batch, group: Group) -> Way:
    """End-to-end training in a pipeline of equal parts; a batch's slices are its microbatches.

    Gradients are not clipped: their norm is of the whole network, and each process knows its part.
    """
    network, start, loss, target = _problem(recipe, batch)
    mine = _share([*network.iterations[network.frozen :]], group)
    alone = end_to_end(recipe, len(mine))
    (module,) = make_modules(Unrolled(mine, network.state), alone)
    module = replace(module, clip=None)
    place, places, slices = group.place, group.places, len(start)
    image = torch.view_as_real(start[:1])
    first, last = (image.clone().requires_grad_(learns) for learns in (place > 0, True))
    known, _ = for_training(batch)
    stage = PipelineStage(_Stage(mine, known.axes), place, places, group.device, first, last)
    # With fewer microbatches than stages both are the same, forward through all stages and back,
    # and Schedule1F1B refuses.
    kind = Schedule1F1B if slices >= places else ScheduleGPipe
    schedule = kind(stage, slices, lambda out, goal: loss(torch.view_as_complex(out), goal))
    told: dict[str, Any] = {"maps": known.sense.maps, "mask": known.sense.mask}
    told |= {"adjoint": known.adjoint, "noise": known.noise}
    if place == places - 1:
        told["target"] = target
    inputs = (torch.view_as_real(start),) if place == 0 else ()

    def steps(count: int, meter: Meter | None) -> Iterator[None]:
        for step in range(count):
            work = partial(schedule.step, *inputs, **told)
            work() if meter is None else meter(work)
            module.update(step)
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
    training |= {"start": None, "frozen": 0}
    return recipe.changed(network={"iterations": iterations}, training=training)


def _problem(recipe: Recipe, batch: Batch) -> tuple[Unrolled, Tensor, Loss, Tensor]:
    """The network, where its training starts from, the loss of a state, and the target."""
    network = initial(recipe).to(batch.measurement.adjoint.device)
    measurement, target = for_training(batch)
    return network, network.start(measurement), partial(loss_of, recipe, network, batch), target


def _share(parts: list[Any], group: Group) -> list[Any]:
    """Those of this process, of parts that cost the same."""
    ends = [0, *accumulate(cut([1.0] * len(parts), group.places))]
    return parts[ends[group.place] : ends[group.place + 1]]


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
