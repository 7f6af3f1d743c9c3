"""What the processes of `benchmarks.parallel` do: train a few steps in the way that they are told.

Orders come on stdin, answers go to stdout, one line of JSON each.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe

from benchmarks.schemes import problem
from gleam.networks import build
from gleam.physics.measurement import Measurement
from gleam.physics.sense import Sense
from gleam.recipe import NetworkRecipe, Recipe, TrainingRecipe
from gleam.training.flow import Module, train_step
from gleam.training.group import Group, joined
from gleam.training.loss import l1
from gleam.training.meter import metered, state_bytes
from gleam.training.pipeline import Note, Pipeline
from gleam.training.replicas import Replicas
from gleam.training.trainer import make_modules

MODULES, FULL, STEPS = 8, 3, 9  # of the network; steps until the pipeline is full; steps timed
CPU = torch.device("cpu")

Meter = Callable[[Callable[[], Any]], Any]


@dataclass(frozen=True)
class Way:
    """A way to train.

    Attributes:
        modules: that this process holds.
        steps: so many steps, one at a time; what a step computes is called by the second argument.
    """

    modules: list[Module]
    steps: Callable[[int, Meter | None], Iterator[None]]


class Worker:
    """One process; each method makes a way to train.

    Args:
        group: of the process, a pipeline of all.
    """

    def __init__(self, group: Group) -> None:
        self.group = group

    def modules(self, count: int = MODULES) -> list[Module]:
        """Of the whole network."""
        recipe = Recipe(
            network=NetworkRecipe(family="modl", iterations=MODULES),
            training=TrainingRecipe(modules=count),
        )
        return make_modules(build(recipe.network), recipe)

    def sequential(self, batch: int) -> Way:
        """Greedy learning in one process."""
        return self._greedy(batch, Group(), self.modules())

    def pipeline(self, batch: int) -> Way:
        """Parallel GLEAM."""
        share = MODULES // self.group.places
        mine = self.modules()[share * self.group.place :][:share]
        return self._greedy(batch, self.group, mine)

    def _greedy(self, batch: int, group: Group, modules: list[Module]) -> Way:
        measurement, target = given(batch)

        def steps(count: int, meter: Meter | None) -> Iterator[None]:
            shape = tuple(target.shape)
            pipeline = Pipeline(group, lambda: iter([shape] * count), count, 2 * MODULES)
            for step in range(count):
                start = pipeline.receive(lambda: measurement.adjoint)
                send = partial(pipeline.send, wait=meter is not None)
                work = partial(train_step, modules, start, measurement, target, l1, step, 0, send)
                losses = work() if meter is None else meter(work)
                values = torch.stack([*losses.values()]).tolist()
                note = pipeline.hear() or Note()
                note.losses |= dict(enumerate(values, len(note.losses)))
                pipeline.tell(note)
                yield
            pipeline.close()

        return Way(modules, steps)

    def data_parallel(self, batch: int) -> Way:
        """End-to-end training, a whole network in every process, gradients averaged."""
        measurement, target = given(batch)
        modules = self.modules(1)
        twins = replace(
            self.group, places=1, replicas=self.group.size, twins=dist.group.WORLD,
            upstream=None, downstream=None,
        )  # fmt: skip

        def steps(count: int, meter: Meter | None) -> Iterator[None]:
            replicas = Replicas(twins)
            for step in range(count):
                inputs = modules, measurement.adjoint, measurement, target, l1, step
                work = partial(train_step, *inputs, replicas=replicas)
                work() if meter is None else meter(work)
                yield

        return Way(modules, steps)

    def one_f_one_b(self, batch: int) -> Way:
        """End-to-end training in a pipeline; a batch's slices are its microbatches."""
        share = MODULES // self.group.places
        (whole,) = self.modules(1)
        iterations = whole.iterations[share * self.group.place :][:share]
        module = replace(
            whole,
            iterations=iterations,
            optimizer=torch.optim.Adam(iterations.parameters(), lr=1e-3, fused=True),
        )
        measurement, target = given(batch)
        place, places = self.group.place, self.group.places
        image = torch.view_as_real(measurement.adjoint[:1])
        start, end = (image.clone().requires_grad_(learns) for learns in (place > 0, True))
        stage = PipelineStage(_Stage(iterations), place, places, CPU, start, end)
        # With one microbatch both are the same, forward through all stages and back; Schedule1F1B
        # refuses fewer microbatches than stages.
        kind = Schedule1F1B if batch >= places else ScheduleGPipe
        schedule = kind(stage, batch, lambda out, goal: l1(torch.view_as_complex(out), goal))
        constants = {"maps": measurement.sense.maps, "mask": measurement.sense.mask}
        constants["adjoint"] = measurement.adjoint
        first = (torch.view_as_real(measurement.adjoint),) if place == 0 else ()
        last = {"target": target} if place == places - 1 else {}

        def steps(count: int, meter: Meter | None) -> Iterator[None]:
            for step in range(count):
                work = partial(schedule.step, *first, **last, **constants)
                work() if meter is None else meter(work)
                module.update(step)
                yield

        return Way([module], steps)


def given(batch: int) -> tuple[Measurement, Tensor]:
    """A measurement, and what to reconstruct."""
    made = problem(batch)
    assert made.target is not None
    return made.measurement, made.target


class _Stage(nn.Module):
    """Iterations as `torch.distributed.pipelining` wants them: real tensors in and out."""

    def __init__(self, iterations: nn.ModuleList) -> None:
        super().__init__()
        self.iterations = iterations

    def forward(self, image: Tensor, maps: Tensor, mask: Tensor, adjoint: Tensor) -> Tensor:
        measurement = Measurement(Sense(maps, mask, (-1,)), adjoint)
        state = torch.view_as_complex(image)
        for iteration in self.iterations:
            state = iteration(state, measurement)
        return torch.view_as_real(state)


def work() -> None:
    """Be one of the processes: read orders from stdin, answer on stdout."""
    torch.set_num_threads(1)
    with joined(1, 120.0) as group:
        worker = Worker(group)
        made: dict[tuple[str, int], tuple[Way, Mapping[str, float]]] = {}
        for line in sys.stdin:
            way, batch, alone = json.loads(line)
            answer: dict[str, float] = {}
            if not (alone and group.rank):
                if (way, batch) not in made:
                    how = getattr(worker, way)(batch)
                    made[way, batch] = how, memory(how)
                how, taken = made[way, batch]
                answer = timed(how) | taken
            group.meet()
            print(json.dumps(answer), flush=True)


def memory(way: Way) -> dict[str, float]:
    """Bytes that a step allocates at most, and of weights and Adam's states."""
    peaks = []

    def meter(work: Callable[[], Any]) -> Any:
        result, peak = metered(work, CPU)
        peaks.append(peak)
        return result

    for _ in way.steps(2, meter):  # the first makes Adam's states
        pass
    return {"activations": peaks[1], "states": state_bytes(way.modules)}


def timed(way: Way) -> dict[str, float]:
    """Seconds per step of a full pipeline, and bytes that left through the network per step."""
    before, times = sent(), []
    for _ in way.steps(FULL + STEPS, None):
        times.append(time.perf_counter())
    traffic = (sent() - before) / (FULL + STEPS)
    return {"seconds": (times[-1] - times[FULL - 1]) / STEPS, "bytes": traffic}


def sent() -> int:
    """Bytes that have left through all interfaces of this machine, or network namespace."""
    lines = Path("/proc/net/dev").read_text().splitlines()[2:]
    return sum(int(line.split(":")[1].split()[8]) for line in lines)


if __name__ == "__main__":
    work()
