"""Minutes of training, turned into steps before the first of them is made.

They are timed on a network that is made for it and thrown away: whatever follows depends on the
number of steps alone, as if the recipe had said it.
"""

import statistics
import time
from collections.abc import Collection
from functools import partial

import torch

from gleam.data.loader import TrainingBatches
from gleam.recipe import Recipe
from gleam.training.flow import train_step
from gleam.training.group import Group
from gleam.training.problem import for_training, loss_of, make_modules
from gleam.training.start import initial

FIRST, TIMED = 2, 20  # steps that set things up, and at most so many that count
SHARE = 0.1  # of the minutes that timing may take; it is part of them


def steps_within(
    minutes: float,
    recipe: Recipe,
    batches: TrainingBatches,
    numbers: Collection[int],
    group: Group,
) -> int:
    """How many steps training makes in this time, at least one.

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
    network = initial(recipe).to(group.device)
    every = make_modules(network, recipe)
    modules = [every[number] for number in numbers]
    taken: list[float] = []
    start = time.perf_counter()
    for step, batch in enumerate(batches.between(0, FIRST + TIMED)):
        batch = batch.to(group.device)
        measurement, target = for_training(batch)
        loss = partial(loss_of, recipe, network, batch)
        first = network.start(measurement)
        losses = train_step(
            modules, first, measurement, target, loss, step, recipe.training.overlap
        )
        torch.stack([*losses.values()]).tolist()  # waits for a GPU
        now = time.perf_counter()
        taken, start = [*taken, now - start], now
        if step >= FIRST and now - began > SHARE * 60 * minutes:
            break
    seconds = group.most(statistics.median(taken[FIRST:]))
    left = 60 * minutes - group.most(time.perf_counter() - began)
    return max(1, round(left / seconds))
