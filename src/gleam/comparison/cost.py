"""What a training step costs: memory to the byte, time as a ratio to another's."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gleam.data.batch import Batch
from gleam.networks import build
from gleam.recipe import Recipe
from gleam.training.flow import Module, train_step
from gleam.training.loss import LOSSES
from gleam.training.meter import metered, state_bytes
from gleam.training.trainer import make_modules

REPEATS = 9


@dataclass(frozen=True)
class Cost:
    """Of a training step.

    Attributes:
        step: bytes that it allocates at most: activations and gradients.
        states: bytes of weights and optimizer states, which lie there all the time.
    """

    step: int
    states: int

    @property
    def memory(self) -> int:
        """Bytes in all."""
        return self.step + self.states


class Stepper:
    """One training step of a recipe, again and again on the same batch.

    Args:
        recipe: its network is built anew.
        batch: with a target; moved to the device.
        device: where to train.
    """

    def __init__(self, recipe: Recipe, batch: Batch, device: torch.device) -> None:
        self.device = device
        network = build(recipe.network, recipe.seed).to(device)
        self.modules: list[Module] = make_modules(network, recipe)
        loss = LOSSES[recipe.training.loss]
        batch = batch.to(device)
        assert batch.target is not None
        self._step: Callable[[], dict[int, Tensor]] = partial(
            train_step,
            self.modules,
            network.start(batch.measurement),
            batch.measurement,
            batch.target,
            lambda state, target: loss(network.image(state), target),
            0,
            recipe.training.overlap,
        )

    def __call__(self) -> None:
        """Make the step, to its end."""
        self._step()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def cost(self) -> Cost:
        """Meter the second step: the first makes the optimizer states."""
        self._step()
        _, peak = metered(self._step, self.device)
        return Cost(peak, state_bytes(self.modules))


def time_ratio(
    step: Callable[[], None], other: Callable[[], None], repeats: int = REPEATS
) -> tuple[float, float]:
    """Seconds of `other`, and how many times as long `step` takes.

    Steps are taken in turn, so that drift of the machine's speed hits both alike: the median of
    the seconds, and the median of the ratios turn by turn.
    """
    own, others = [], []
    for turn in range(1 + repeats):  # the first turn warms up and does not count
        seconds = []
        for work in (step, other):
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
        if turn:
            own.append(seconds[0])
            others.append(seconds[1])
    ratio = statistics.median(a / b for a, b in zip(own, others, strict=True))
    return statistics.median(others), ratio
