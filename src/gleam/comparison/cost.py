"""A training step by itself, to be timed, and what memory it takes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gleam.data.batch import Batch
from gleam.recipe import Recipe
from gleam.training.flow import Module, train_step
from gleam.training.meter import metered, state_bytes
from gleam.training.problem import for_training, loss_of, make_modules
from gleam.training.start import initial


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
        recipe: its network is made anew.
        batch: with a target; moved to the device.
        device: where to train.
    """

    def __init__(self, recipe: Recipe, batch: Batch, device: torch.device) -> None:
        self.device = device
        network = initial(recipe).to(device)
        self.modules: list[Module] = make_modules(network, recipe)
        batch = batch.to(device)
        measurement, target = for_training(batch)
        loss = partial(loss_of, recipe, network, batch)

        def step() -> dict[int, Tensor]:
            state = network.start(measurement)
            overlap = recipe.training.overlap
            return train_step(self.modules, state, measurement, target, loss, 0, overlap)

        self._step: Callable[[], dict[int, Tensor]] = step

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
