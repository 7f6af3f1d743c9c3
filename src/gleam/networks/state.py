"""The *state* that iterations hand to each other: an image, some images, or what a network has.

All that trains, places or runs a network asks `StateFormat` and knows no more of it. The networks
of this program hand on images (`ImageState`); other people's say themselves what they hand on (see
`gleam.networks.foreign`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import nn

from gleam.arrays import Image, State
from gleam.networks.regulariser import Convolved
from gleam.physics.baselines import zero_filled
from gleam.physics.measurement import Measured


@runtime_checkable  # the tests check types at run time
class StateFormat(Protocol):
    """The state of a network: a tensor, or tuples, lists and dicts of tensors.

    `check_state` of tests/networks/test_state_contract.py holds each to this.
    """

    @property
    def in_slabs(self) -> bool:
        """Whether an iteration of a volume may be taken slab by slab."""

    def first(self, measurement: Measured) -> Any:
        """The state before the first iteration."""

    def image(self, state: Any) -> Image:
        """The image of a state."""

    def shapes(self, image: Sequence[int]) -> Any:
        """Shapes of the states on the way to an image of shape (batch, set, frame, *space)."""

    def reach(self, iterations: Iterable[nn.Module], axis: int) -> int:
        """Positions that one iteration sees along a space axis that F leaves out (x = −1, y, z =
        −3).

        An output of any iteration depends on no input that is more positions away, to either side.
        """

    def alignment(self, iterations: Iterable[nn.Module], axis: int) -> int:
        """The number that the first position of a slab must be a multiple of, counted in the whole
        volume.

        Then, but for `reach` positions at its borders, an iteration does the same to the slab as to
        the volume.
        """


@dataclass(frozen=True)
class ImageState:
    """The image alone.

    Iterations that carry more say so in a subclass: images one after the other along the set axis.

    Attributes:
        start: where the first image comes from: a reconstruction without learning.
        images: how many a state holds.
    """

    start: Callable[[Measured], Image] = zero_filled
    images: ClassVar[int] = 1

    def of(self, image: Image) -> State:
        """The state before the first iteration, of the first image."""
        return image

    def image(self, state: State) -> Image:
        """The image in a state."""
        return state

    @property
    def in_slabs(self) -> bool:
        """See `StateFormat`."""
        return True

    def first(self, measurement: Measured) -> State:
        """See `StateFormat`."""
        return self.of(self.start(measurement))

    def shapes(self, image: Sequence[int]) -> tuple[int, ...]:
        """See `StateFormat`."""
        batch, sets, *rest = image
        return (batch, self.images * sets, *rest)

    def reach(self, iterations: Iterable[nn.Module], axis: int) -> int:
        """See `StateFormat`: the sum over an iteration's CNNs; data consistency looks nowhere."""
        return max(sum(cnn.reach(axis) for cnn in _cnns(iteration)) for iteration in iterations)

    def alignment(self, iterations: Iterable[nn.Module], axis: int) -> int:
        """See `StateFormat`."""
        return max(cnn.alignment(axis) for iteration in iterations for cnn in _cnns(iteration))


IMAGE_ALONE = ImageState()


def _cnns(iteration: nn.Module) -> list[Convolved]:
    return [module for module in iteration.modules() if isinstance(module, Convolved)]
