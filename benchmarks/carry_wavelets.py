"""A network whose first iterations are wavelets with learnt thresholds, not convolutions."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gleam.arrays import Image
from gleam.networks.consistency import ModelBased
from gleam.networks.regulariser import Regulariser
from gleam.networks.resnet import ResNet
from gleam.networks.state import ImageState
from gleam.physics.measurement import Measured
from gleam.physics.wavelet import LEVELS, inverse, levels, transform
from gleam.recipe import NetworkRecipe

AXES = (-2, -1)
SHIFTS = (0, 0), (3, 5), (6, 2)  # voxels; the grid of the wavelets shows less in the mean
THRESHOLD = 0.01  # of the image's scale, at the start


class LearntWavelets(nn.Module):
    """R(x): soft thresholding of wavelet coefficients, with a threshold learnt for each level."""

    def __init__(self) -> None:
        super().__init__()
        start = torch.tensor(THRESHOLD).log()
        self.log_thresholds = nn.ParameterList(start.clone() for _ in range(LEVELS + 1))

    def forward(self, image: Image) -> Image:
        """(batch, set, frame, y, x) → the same shape."""
        sizes = image.shape[-2:]
        filling = [-size % 2 ** levels(size) for size in sizes]
        wide = nn.functional.pad(image, (0, filling[1], 0, filling[0]))
        thresholds = self._thresholds(wide.shape[-2:])
        images = []
        for shift in SHIFTS:
            coefficients = transform(torch.roll(wide, shift, AXES), AXES)
            kept = 1 - thresholds / coefficients.abs().clamp_min(1e-12)
            less = inverse(coefficients * kept.clamp_min(0), AXES)
            images.append(torch.roll(less, [-n for n in shift], AXES))
        return torch.stack(images).mean(0)[..., : sizes[0], : sizes[1]]

    def _thresholds(self, sizes: Sequence[int]) -> Float[Tensor, "y x"]:
        """Of each coefficient, as they lie: the finest outside, the image once more in a corner."""
        level = torch.zeros(tuple(sizes), dtype=torch.long)
        for n in range(1, LEVELS + 1):
            corner = [size >> min(n, levels(size)) for size in sizes]
            level[: corner[0], : corner[1]] = n
        return torch.stack([*self.log_thresholds]).exp()[level]


class WaveletsFirst:
    """The adapter of a MoDL network, some of whose iterations are wavelets.

    Args:
        iterations: of it.
        wavelets: how many of the first iterations.
        width: features of the convolutions of all others.
    """

    def __init__(self, iterations: int, wavelets: int, width: int) -> None:
        like = NetworkRecipe()
        regularisers: list[nn.Module] = [LearntWavelets() for _ in range(wavelets)]
        for _ in range(iterations - wavelets):
            cnn = ResNet(2, width, like.regulariser.blocks, like.regulariser.kernel, 2)
            regularisers.append(Regulariser(cnn, 2))
        self.blocks = [ModelBased(one, like.weight, like.cg_steps) for one in regularisers]

    def first(self, measurement: Measured) -> Image:
        """Aᴴy."""
        return ImageState().first(measurement)

    def image(self, state: Image) -> Image:
        """The state is the image."""
        return state
