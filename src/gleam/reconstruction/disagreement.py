"""Disagreement of methods at each place of an image, where at most one of them is right."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Complex
from torch import Tensor

from gleam.arrays import crop
from gleam.data.example import Example
from gleam.formats import Volume
from gleam.metrics import magnitude


class Disagreement:
    """Collects the images of a check; pass it on as its `seen`.

    Args:
        example: the scan that is checked.
    """

    def __init__(self, example: Example) -> None:
        self._header, self._slices = example.header, example.shape[0]
        self._sums: dict[tuple[int, str], Tensor] = {}
        self._counts: dict[tuple[int, str], int] = {}

    def __call__(self, index: int, method: str, image: Complex[Tensor, "set frame *space"]) -> None:
        """An image (set, frame, *space), in the scan's intensities."""
        image = image[0] if len(image) == 1 else magnitude(image[None])[0].to(image.dtype)
        key, image = (index, method), crop(image, self._header.matrix)
        self._sums[key] = self._sums[key] + image if key in self._sums else image.clone()
        self._counts[key] = self._counts.get(key, 0) + 1

    def volume(self) -> Volume:
        """Root mean square deviation of the methods' images from their mean, each over its draws.

        Returns:
            (slice, frame, *space) complex64, in the scan's intensities; zero of one method.
        """
        names = list(dict.fromkeys(name for _, name in self._sums))
        slices = [self._slice(index, names) for index in range(self._slices)]
        header = self._header
        return Volume(
            torch.stack(slices).to(torch.complex64).numpy(),
            header.voxel,
            np.array(header.affine),
            header.contrast,
            header.name,
            method=f"where {' and '.join(names)} disagree",
            thickness=header.thickness,
        )

    def _slice(self, index: int, names: Sequence[str]) -> Tensor:
        keys = [(index, name) for name in names]
        images = torch.stack([self._sums[key] / self._counts[key] for key in keys])
        return (images - images.mean(0)).abs().square().mean(0).sqrt()
