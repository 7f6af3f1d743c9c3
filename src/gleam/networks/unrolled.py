"""`Unrolled`: iterations one after the other, from a first image to the reconstruction."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from gleam.arrays import Image
from gleam.networks.state import IMAGE_ALONE, StateFormat
from gleam.physics.measurement import Measured, Measurement, check_measured

Call = Callable[[nn.Module, Any, Measurement], Any]
Placed = Callable[[int, nn.Module], object]


def called(iteration: nn.Module, state: Any, measurement: Measurement) -> Any:
    """An iteration, simply called."""
    return iteration(state, measurement)


def unplaced(number: int, iteration: nn.Module) -> None:
    """An iteration stays where it was made."""


class Unrolled(nn.Module):
    """An unrolled network; `iteration(state, measurement) -> state` is all it asks of its parts.

    >>> steps = [gleam.ProximalGradient(torch.nn.Identity(), step=1.0) for _ in range(3)]
    >>> network = gleam.Unrolled(steps)
    >>> network(A).shape  # (batch, set, frame, *space)
    torch.Size([2, 1, 1, 32, 48])
    >>> modules = gleam.greedy(network.iterations, 3, optimizer=torch.optim.Adam)

    Args:
        iterations: its parts.
        state: what they hand to each other.
        frozen: how many of the first iterations stay as they are; training begins after them.
    """

    def __init__(
        self, iterations: Iterable[nn.Module], state: StateFormat = IMAGE_ALONE, frozen: int = 0
    ) -> None:
        super().__init__()
        self.iterations = nn.ModuleList(iterations)
        self.state = state
        self.frozen = frozen
        self.train()

    def train(self, mode: bool = True) -> "Unrolled":
        """Parts that behave otherwise in training (dropout, running means) do; not frozen ones."""
        super().train(mode)
        self.iterations[: self.frozen].eval()
        return self

    def forward(self, measurement: Measured) -> Image:
        """The reconstruction, (batch, set, frame, *space)."""
        check_measured(measurement, "the network")
        return deque(self.iterates(measurement), maxlen=1).pop()

    def iterates(self, measurement: Measured) -> Iterator[Image]:
        """The image after each iteration."""
        return self.iterates_from(self.first(measurement), measurement)

    def iterates_from(
        self, state: Any, measurement: Measured, call: Call = called
    ) -> Iterator[Image]:
        """The same, of a state before the first iteration; `call` as in `advance`."""
        for iteration in self.iterations:
            state = self.advance(iteration, state, measurement, call)
            yield self.image(state)

    def advance(
        self, iteration: nn.Module, state: Any, measurement: Measured, call: Call = called
    ) -> Any:
        """One of the iterations; all slabs of a volume go through it before the next one's turn.

        Whatever runs iterations without learning from them comes through here.

        Args:
            iteration: of this network.
            state: before it.
            measurement: may be of a volume in slabs.
            call: has the iteration computed, of what is in memory.
        """
        if not self.state.in_slabs:
            measurement = measurement.whole()
        return measurement.advance(partial(call, iteration), state, self.reach, self.alignment)

    @torch.no_grad()
    def first(self, measurement: Measured) -> Any:
        """The state before the first iteration."""
        return self.state.first(measurement if self.state.in_slabs else measurement.whole())

    @torch.no_grad()
    def start(self, measurement: Measured) -> Any:
        """The state that training begins with, before the first iteration that is not frozen."""
        state = self.first(measurement)
        for iteration in self.iterations[: self.frozen]:
            state = self.advance(iteration, state, measurement)
        return state

    def state_shape(self, image: Sequence[int]) -> Any:
        """Shape of the states on the way to an image of shape (batch, set, frame, *space)."""
        return self.state.shapes(image)

    def reach(self, axis: int) -> int:
        """Positions that one iteration sees along a space axis: see `StateFormat`."""
        return self.state.reach(self.iterations, axis)

    def alignment(self, axis: int) -> int:
        """Multiples at which slabs may start along a space axis: see `StateFormat`."""
        return self.state.alignment(self.iterations, axis)

    def image(self, state: Any) -> Image:
        """The image of a state."""
        return self.state.image(state)
