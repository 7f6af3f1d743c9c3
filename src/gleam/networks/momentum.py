"""Iterations that know where the one before came from: momentum, as far as a CNN makes use of it.

Accelerated gradient methods go on in the direction of the last step. Here the change is carried
beside the image and given to the regulariser, which learns what to make of it. It costs one image
of memory, and greedy modules, which see nothing of each other but their images, gain most.
"""

import torch
from torch import nn

from gleam.arrays import Image, State
from gleam.networks.state import ImageState
from gleam.physics.measurement import Measurement


class ImageAndChange(ImageState):
    """The image, and how the iteration before changed it: at first not at all."""

    images = 2

    def of(self, image: Image) -> State:
        """See `ImageState`."""
        return torch.cat([image, torch.zeros_like(image)], 1)

    def image(self, state: State) -> Image:
        """See `ImageState`."""
        return state.chunk(2, 1)[0]


class Momentum(nn.Module):
    """An iteration on (image, its change in the iteration before), both along the set axis.

    Args:
        iteration: (image, measurement, change) → image.
    """

    def __init__(self, iteration: nn.Module) -> None:
        super().__init__()
        self.iteration = iteration

    def forward(self, state: State, measurement: Measurement) -> State:
        """One iteration; the same shape."""
        image, change = state.chunk(2, 1)
        after = self.iteration(image, measurement, change)
        return torch.cat([after, after - image], 1)
