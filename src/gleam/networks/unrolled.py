"""`Unrolled`: iterations one after the other, from the zero-filled image to the reconstruction."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from torch import nn

from gleam.arrays import Image, State
from gleam.physics.measurement import Measurement


@dataclass(frozen=True)
class Carried:
    """What iterations hand to each other: images, one after the other along the set axis.

    Attributes:
        start: the zero-filled image → the state before the first iteration.
        image: a state → the image in it.
    """

    start: Callable[[Image], State]
    image: Callable[[State], Image]


ALONE = Carried(start=lambda image: image, image=lambda state: state)


class Unrolled(nn.Module):
    """An unrolled network; `iteration(state, measurement) -> state` is all it asks of its parts.

    Args:
        iterations: its parts.
        carried: what their state is.
    """

    def __init__(self, iterations: Iterable[nn.Module], carried: Carried = ALONE) -> None:
        super().__init__()
        self.iterations = nn.ModuleList(iterations)
        self.carried = carried

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
        """The state before the first iteration, (batch, images · set, frame, *space)."""
        return self.carried.start(measurement.adjoint)

    def image(self, state: State) -> Image:
        """The image of a state."""
        return self.carried.image(state)
