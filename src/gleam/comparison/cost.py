"""A training step by itself, to be timed, and what memory it takes."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gleam.arrays import State
from gleam.data.batch import Batch
from gleam.recipe import Recipe
from gleam.training.flow import GreedyModule, train_step
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
        self.modules: list[GreedyModule] = make_modules(network, recipe)
        batch = batch.to(device)
        measurement, target = for_training(batch)
        loss, overlap = partial(loss_of, recipe, network, batch), recipe.training.overlap

        def learn(state: State) -> dict[int, Tensor]:
            return train_step(self.modules, state, measurement, target, loss, 0, overlap)

        self._start = partial(network.start, measurement)
        self._learn = learn

    def __call__(self) -> None:
        """Make the step, to its end, from the measurement on."""
        self._learn(self._start())
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def cost(self) -> Cost:
        """Meter the second step, as training does: the first makes the optimizer states."""
        state = self._start()
        self._learn(state)
        _, peak = metered(partial(self._learn, state), self.device)
        return Cost(peak, state_bytes(self.modules))
