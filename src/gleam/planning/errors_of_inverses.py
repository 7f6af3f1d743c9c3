"""Errors that inverting an iteration makes, which decide on anchors, without its weights.

It follows from the few numbers beside the CNN, so an iteration with the smallest of CNNs tells it.
"""

from functools import cache

import torch

from gleam.networks import Unrolled, build
from gleam.physics.measurement import Measurement
from gleam.physics.noise import USUAL_NOISE
from gleam.physics.sense import Sense
from gleam.planning.trace import outside
from gleam.recipe import Recipe


def told(network: Unrolled, recipe: Recipe) -> None:
    """Have the iterations of a traced network tell it, where any of them is asked."""
    if recipe.training.storage != "invert" or not recipe.network.regulariser.coupling:
        return
    small = recipe.network.changed(iterations=1, regulariser={"width": 1, "blocks": 1})
    with outside():
        (twin,) = build(small).iterations
        maps = torch.ones(1, recipe.network.sets, 1, 1, 1, 1, dtype=torch.complex64)
        sense = Sense(maps, torch.ones(1, 1, 1, 1, 1, dtype=torch.bool), (-1,))
        image = torch.zeros(1, recipe.network.sets, 1, 1, 1, dtype=torch.complex64)
        measurement = Measurement(sense, image, torch.tensor([USUAL_NOISE]))

    @cache
    def error(before: float) -> float:
        with outside():
            after: float = twin.error_of_inverse(before, measurement)  # type: ignore[operator]
        return after

    for iteration in network.iterations:
        iteration.error_of_inverse = lambda before, _: error(before)  # type: ignore[assignment]
