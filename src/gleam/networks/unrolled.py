"""`Unrolled`: iterations one after the other, from the zero-filled image to the reconstruction."""

from collections.abc import Iterable, Iterator

from torch import nn

from gleam.arrays import Image
from gleam.physics.measurement import Measurement


class Unrolled(nn.Module):
    """An unrolled network; `iteration(image, measurement) -> image` is all it asks of its parts."""

    def __init__(self, iterations: Iterable[nn.Module]) -> None:
        super().__init__()
        self.iterations = nn.ModuleList(iterations)

    def forward(self, measurement: Measurement) -> Image:
        """The reconstruction, (batch, set, frame, *space)."""
        image = measurement.adjoint
        for iteration in self.iterations:
            image = iteration(image, measurement)
        return image

    def iterates(self, measurement: Measurement) -> Iterator[Image]:
        """The image after each iteration."""
        image = measurement.adjoint
        for iteration in self.iterations:
            image = iteration(image, measurement)
            yield image
