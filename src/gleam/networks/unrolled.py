"""`Unrolled`: iterations one after the other, from a first image to the reconstruction."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from gleam.arrays import Image, State
from gleam.networks.regulariser import Convolved
from gleam.physics.baselines import zero_filled
from gleam.physics.measurement import Measurement
from gleam.physics.slabs import Measured, Slabbed


@dataclass(frozen=True)
class ImageState:
    """What iterations hand to each other: here the image alone.

    Iterations that carry more say so in a subclass: images one after the other along the set axis.

    Attributes:
        first: where the first image comes from: a reconstruction without learning.
        images: how many a state holds.
    """

    first: Callable[[Measured], Image] = zero_filled
    images: ClassVar[int] = 1

    def of(self, image: Image) -> State:
        """The state before the first iteration, of the first image."""
        return image

    def image(self, state: State) -> Image:
        """The image in a state."""
        return state


IMAGE_ALONE = ImageState()


class Unrolled(nn.Module):
    """An unrolled network; `iteration(state, measurement) -> state` is all it asks of its parts.

    Args:
        iterations: its parts.
        state: what they hand to each other.
        frozen: how many of the first iterations stay as they are; training begins after them.
    """

    def __init__(
        self, iterations: Iterable[nn.Module], state: ImageState = IMAGE_ALONE, frozen: int = 0
    ) -> None:
        super().__init__()
        self.iterations = nn.ModuleList(iterations)
        self.state = state
        self.frozen = frozen

    def forward(self, measurement: Measured) -> Image:
        """The reconstruction, (batch, set, frame, *space)."""
        *_, image = self.iterates(measurement)
        return image

    def iterates(self, measurement: Measured) -> Iterator[Image]:
        """The image after each iteration."""
        return self.iterates_from(self.first(measurement), measurement)

    def iterates_from(self, state: State, measurement: Measured) -> Iterator[Image]:
        """The same, of a state before the first iteration."""
        for iteration in self.iterations:
            state = self.advance(iteration, state, measurement)
            yield self.image(state)

    def advance(self, iteration: nn.Module, state: State, measurement: Measured) -> State:
        """One of the iterations; all slabs of a volume go through it before the next one's turn."""
        if isinstance(measurement, Slabbed):
            axis = measurement.axis
            return measurement.advanced(iteration, state, self.reach(axis), self.alignment(axis))
        after: State = iteration(state, measurement)
        return after

    @torch.no_grad()
    def first(self, measurement: Measured) -> State:
        """The state before the first iteration."""
        return self.state.of(self.state.first(measurement))

    @torch.no_grad()
    def start(self, measurement: Measurement) -> State:
        """Where training begins: the state before the first iteration that is not frozen.

        Returns:
            (batch, images · set, frame, *space).
        """
        state = self.first(measurement)
        for iteration in self.iterations[: self.frozen]:
            state = iteration(state, measurement)
        return state

    def state_shape(self, image: Sequence[int]) -> tuple[int, ...]:
        """Of the states on the way to an image of shape (batch, set, frame, *space)."""
        batch, sets, *rest = image
        return (batch, self.state.images * sets, *rest)

    def reach(self, axis: int) -> int:
        """How far one iteration looks along a space axis that F leaves out (x = −1, y, z = −3).

        An output of any iteration depends on no input that is more positions away, to either side:
        the sum over the regularisers of the iteration, for data consistency does not look aside.
        """
        return max(sum(r.reach(axis) for r in regularisers) for regularisers in self._regularisers)

    def alignment(self, axis: int) -> int:
        """What the first position of a slab must be a multiple of, counted in the whole volume.

        Then, but for `reach` positions at its borders, an iteration does the same to the slab as to
        the volume.
        """
        return max(r.alignment(axis) for regularisers in self._regularisers for r in regularisers)

    @property
    def _regularisers(self) -> list[list[Convolved]]:
        """Of each iteration."""
        return [
            [m for m in iteration.modules() if isinstance(m, Convolved)]
            for iteration in self.iterations
        ]

    def image(self, state: State) -> Image:
        """The image of a state."""
        return self.state.image(state)
