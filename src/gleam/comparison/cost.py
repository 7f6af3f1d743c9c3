"""A training step by itself, to be timed and metered."""

import torch

from gleam.data.batch import Batch
from gleam.recipe import Recipe
from gleam.runs.assembly import fresh_learner
from gleam.runs.learner import Cost
from gleam.training.timing import settled


class Stepper:
    """One training step of a recipe, again and again on the same batch.

    Args:
        recipe: its network is made anew.
        batch: with a target; moved to the device.
        device: where to train.
    """

    def __init__(self, recipe: Recipe, batch: Batch, device: torch.device) -> None:
        self.learner = fresh_learner(recipe, device)
        self.batch = batch.to(device)

    def __call__(self) -> None:
        """Make the step, to its end, from the measurement on."""
        self.learner.step(self.batch, 0)
        settled(self.learner.device)

    def cost(self) -> Cost:
        """Meter the second step, as training does: the first makes the optimizer states."""
        self.learner.step(self.batch, 0)
        fresh = self.batch.to(self.learner.device)  # nothing is kept of it yet, as in training
        _, cost = self.learner.metered_step(fresh, 0)
        return cost
