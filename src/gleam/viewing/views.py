"""`View`: how a slice is looked at, and what every method shows there."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from gleam.arrays import Image
from gleam.formats.upright import Upright
from gleam.viewing.cuts import cuts

Volume = Complex[Tensor, "set frame *space"]


@dataclass(frozen=True)
class View:
    """One picture as every method sees it.

    Attributes:
        name: what is shown; empty for the one plane of a 2D slice.
        target: magnitude of the reference; `time` is 1 where nothing moves.
        images: method → magnitude.
        errors: method → magnitude of the complex error.
    """

    name: str
    target: Float[Tensor, "time rows columns"]
    images: dict[str, Tensor]
    errors: dict[str, Tensor]

    def of(self, methods: Mapping[str, str]) -> "View":
        """The same with some of the methods, by new names."""
        images = {new: self.images[old] for new, old in methods.items()}
        errors = {new: self.errors[old] for new, old in methods.items()}
        return View(self.name, self.target, images, errors)


def views(target: Image, images: Mapping[str, Image], upright: Upright | None = None) -> list[View]:
    """All there is to see of one example (batch 1).

    They are the cuts of the target, see `gleam.viewing.cuts`.
    """
    reference = target[0]
    return [
        View(
            name,
            _joined(cut(reference)),
            {method: _joined(cut(image[0])) for method, image in images.items()},
            {method: _joined(cut(image[0] - reference)) for method, image in images.items()},
        )
        for name, cut in cuts(_joined(reference), upright).items()
    ]


def _joined(volume: Volume) -> Tensor:
    """Root sum of squares over the map sets."""
    joined: Tensor = torch.linalg.vector_norm(volume, dim=0)
    return joined
