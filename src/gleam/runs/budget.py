"""Times that are settled before training begins, on networks made for it and thrown away.

Whatever follows depends on what is settled alone, as if the user had said it.
"""

import math
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial

import torch

from gleam.data.example import Example
from gleam.data.loader import TrainingBatches
from gleam.parallel.group import Group
from gleam.parallel.placement import fastest
from gleam.recipe import Recipe
from gleam.runs.assembly import fresh_learner
from gleam.training.graph import EAGER
from gleam.training.timing import settled

FIRST, TIMED = EAGER + 1, 20  # steps that set things up, and at most so many that count
SHARE = 0.1  # of the minutes that timing may take; it is part of them


def steps_within(
    minutes: float, recipe: Recipe, batches: TrainingBatches, numbers: range, group: Group
) -> int:
    """Number of steps that training makes in this time, at least one.

    Every process times its own modules while the others time theirs; a pipeline is as fast as the
    slowest of them.

    Args:
        minutes: in all, timing included.
        recipe: of the run.
        batches: of this process.
        numbers: of the modules that it holds.
        group: all processes.
    """
    began = time.perf_counter()
    learner = fresh_learner(recipe, group.device, numbers)
    taken: list[float] = []
    start = time.perf_counter()
    with closing(batches.between(0, FIRST + TIMED, group.device)) as feed:
        for step, batch in enumerate(feed):
            learner.step(batch, step)
            settled(group.device)
            now = time.perf_counter()
            taken, start = [*taken, now - start], now
            if step >= FIRST and now - began > SHARE * 60 * minutes:
                break
    step_time = group.maximum(statistics.median(taken[FIRST:]))
    left = 60 * minutes - group.maximum(time.perf_counter() - began)
    return max(1, round(left / step_time))


def steps_of_validation(examples: Sequence[Example], slab: int | None) -> int:
    """Number of steps, of one slab each, that take about as long as a validation, or longer.

    A step goes forward and back, a validation of all examples forward alone.
    """
    pieces = 0
    for example in examples:
        axis = example.header.decoded_axis
        slabs = 1 if slab is None or axis is None else math.ceil(example.shape[axis] / slab)
        pieces += example.shape[0] * slabs
    return pieces // 2


def seldom_validated(recipe: Recipe, examples: Sequence[Example]) -> Recipe:
    """The recipe, validated on examples so seldom that this takes no longer than its steps."""
    t, data = recipe.training, recipe.data
    every = max(t.validate_every, steps_of_validation(examples, data.slab) // data.batch)
    return recipe.changed(training={"validate_every": min(t.steps, every)})


def seconds_of_modules(
    recipe: Recipe, batches: TrainingBatches, device: torch.device
) -> list[float]:
    """Seconds that each module takes to learn from a batch."""
    batch = batches.at(0).to(device)
    learner = fresh_learner(recipe, device)
    modules, state = learner.modules, learner.start(batch)

    def learn(number: int) -> None:
        learner.modules = modules[number : number + 1]
        learner.learn(state, batch, 0)
        settled(device)

    return fastest([partial(learn, number) for number in range(len(modules))])
