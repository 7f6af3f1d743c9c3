"""Early exit: stop a trained network before its last iteration.

Every greedy module was trained to end with the best image it can, so a network may stop at any
module's end: after a given number of iterations, or as soon as they change nothing that matters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from gleam.arrays import Image
from gleam.networks import Unrolled
from gleam.physics.slabs import Measured


@dataclass
class EarlyExit:
    """A method: a network that may stop early.

    Attributes:
        network: what is stopped.
        modules: iterations of each of its modules.
        iterations: how many to make at most; None makes all.
        change: stop at the end of a module whose image differs from that of the one before by less
            than this, ‖difference‖ / ‖image‖ of every example; None does not look.
        used: iterations made, of each call so far.
    """

    network: Unrolled
    modules: Sequence[int]
    iterations: int | None = None
    change: float | None = None
    used: list[int] = field(default_factory=list)

    def __call__(self, measurement: Measured) -> Image:
        """The reconstruction, (batch, set, frame, *space)."""
        ends = set(accumulate(self.modules))
        state = self.network.first(measurement)
        image = before = self.network.image(state)
        made = 0
        for image in self.network.iterates_from(state, measurement):
            made += 1
            if made == self.iterations:
                break
            if self.change is not None and made in ends:
                if _difference(image, before) < self.change:
                    break
                before = image
        self.used.append(made)
        return image


def _difference(image: Image, before: Image) -> float:
    """The largest of all examples, relative; 0 of an empty image that stays empty."""
    change = (image - before).flatten(1).norm(dim=1)
    size = image.flatten(1).norm(dim=1)
    return float((change / size.clamp(min=1e-30)).max())
