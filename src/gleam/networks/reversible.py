"""The reversible family: two image streams whose iterations can be undone exactly.

x₁ ← x₁ + f(x₂), x₂ ← x₂ + g(x₁), where f and g are the changes that an iteration of another family
would make: each holds its own data consistency and CNN. Undoing it is a subtraction, whatever A
is, and errors do not grow as they do when data consistency itself is inverted.

Both streams start at the first image, and the image is their mean. The difference of the streams
grows by about 1 + μ in an iteration while the error of their mean shrinks by 1 − μ, as in every
two-step scheme, so the steps μ of all iterations start with a sum of 3, however many there are.
"""

import torch
from torch import Tensor, nn

from gleam.arrays import Image, State
from gleam.networks.coupling import Coupling, Gradients
from gleam.networks.state import ImageState
from gleam.physics.measurement import Measurement

TOTAL_STEP = 3.0


class TwoStreams(ImageState):
    """Two streams, which start alike; the image is their mean."""

    images = 2

    def of(self, image: Image) -> State:
        """See `ImageState`."""
        return torch.cat([image, image], 1)

    def image(self, state: State) -> Image:
        """See `ImageState`."""
        return torch.stack(state.chunk(2, 1)).mean(0)


class Reversible(nn.Module):
    """One iteration on a state (batch, 2 · set, frame, *space): the two streams, one by one.

    Args:
        f, g: iterations (image, measurement) → image.
    """

    def __init__(self, f: nn.Module, g: nn.Module) -> None:
        super().__init__()
        self.coupling = Coupling(_Change(f), _Change(g))

    def forward(self, state: State, measurement: Measurement) -> State:
        """One iteration; the same shape."""
        return torch.cat(self.coupling(*state.chunk(2, 1), measurement), 1)

    def back(
        self, state: State, gradient: State, measurement: Measurement
    ) -> tuple[State, State, Gradients]:
        """See `Invertible`."""
        before, first, weights = self.coupling.back(
            _streams(state), _streams(gradient), measurement
        )
        return torch.cat(before, 1), torch.cat(first, 1), weights

    def error_of_inverse(self, error: float, measurement: Measurement) -> float:
        """See `Invertible`: to subtract what was added leaves an error as it was."""
        return error


class _Change(nn.Module):
    def __init__(self, iteration: nn.Module) -> None:
        super().__init__()
        self.iteration = iteration

    def forward(self, image: Image, measurement: Measurement) -> Tensor:
        change: Tensor = self.iteration(image, measurement) - image
        return change


def _streams(state: Tensor) -> tuple[Tensor, Tensor]:
    first, second = state.chunk(2, 1)
    return first, second
