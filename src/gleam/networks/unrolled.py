"""`Unrolled`: iterations one after the other, from the zero-filled image to the reconstruction."""

from collections.abc import Iterable, Iterator

import torch
from torch import nn

from gleam.arrays import Image, State
from gleam.physics.measurement import Measurement


class Unrolled(nn.Module):
    """An unrolled network; `iteration(state, measurement) -> state` is all it asks of its parts.

    Args:
        iterations: its parts.
        streams: images that a state holds, one after the other along the set axis: 1, or 2 for
            the reversible family.
    """

    def __init__(self, iterations: Iterable[nn.Module], streams: int = 1) -> None:
        super().__init__()
        self.iterations = nn.ModuleList(iterations)
        self.streams = streams

    def forward(self, measurement: Measurement) -> Image:
        """The reconstruction, (batch, set, frame, *space)."""
        state = self.start(measurement)
        for iteration in self.iterations:
            state = iteration(state, measurement)
        return self.image(state)

    def iterates(self, measurement: Measurement) -> Iterator[Image]:
        """The image after each iteration."""
        state = self.start(measurement)
        for iteration in self.iterations:
            state = iteration(state, measurement)
            yield self.image(state)

    def start(self, measurement: Measurement) -> State:
        """The state before the first iteration, (batch, streams · set, frame, *space)."""
        if self.streams == 1:
            return measurement.adjoint
        return torch.cat([measurement.adjoint] * self.streams, 1)

    def image(self, state: State) -> Image:
        """The image of a state: the mean of its streams."""
        if self.streams == 1:
            return state
        return torch.stack(state.chunk(self.streams, 1)).mean(0)
