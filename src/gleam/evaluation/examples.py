"""`Example`: the planes of one slice that a picture needs."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from gleam.arrays import Image
from gleam.evaluation.scores import Score
from gleam.metrics import magnitude


@dataclass(frozen=True)
class Example:
    """One slice as every method sees it; of a 3D scan the middle z, of a series the middle frame.

    Attributes:
        scan: name of the scan.
        slice: number of the slice.
        target: magnitude of the reference.
        images: method → magnitude.
        errors: method → magnitude of the complex error.
        sampling: what was sampled, zero frequency in the middle: (y, x), (z, y), or (frame, y).
        scores: method → scores of the slice.
    """

    scan: str
    slice: int | None
    target: Float[Tensor, "y x"]
    images: dict[str, Tensor]
    errors: dict[str, Tensor]
    sampling: Bool[Tensor, "rows columns"]
    scores: dict[str, Score]


def example(
    target: Image,
    images: dict[str, Tensor],
    mask: Bool[Tensor, "#frame *#space"],
    scores: dict[str, Score],
) -> Example:
    """Cut the planes out of one example (batch 1); `mask` is in the operator's shift-free order."""
    reference = _plane(target)
    found = {method: _plane(image) for method, image in images.items()}
    any_score = next(iter(scores.values()))
    return Example(
        scan=any_score.scan,
        slice=any_score.slice,
        target=_joined(reference),
        images={method: _joined(plane) for method, plane in found.items()},
        errors={method: _joined(plane - reference) for method, plane in found.items()},
        sampling=sampling_picture(mask, (reference.shape[-2], reference.shape[-1])),
        scores=scores,
    )


def _plane(image: Tensor) -> Complex[Tensor, "set y x"]:
    """The middle frame, and the middle z of a volume."""
    planes = image[0]
    while planes.ndim > 3:
        planes = planes[:, planes.shape[1] // 2]
    return planes


def _joined(plane: Complex[Tensor, "set y x"]) -> Float[Tensor, "y x"]:
    return magnitude(plane[None, :, None])[0, 0]


def sampling_picture(
    mask: Bool[Tensor, "frame *space"], shape: tuple[int, int]
) -> Bool[Tensor, "rows columns"]:
    """The two axes the mask varies along, zero frequency in the middle.

    A mask over one axis is drawn as lines over the plane (y, x) of the given shape, or over
    frames where there are several; of more than two axes the middle of the first is shown.
    """
    space = tuple(range(1, mask.ndim))
    mask = torch.fft.fftshift(mask, dim=space)
    along_x = mask.shape[-1] > 1
    mask = mask.squeeze()
    while mask.ndim > 2:
        mask = mask[len(mask) // 2]
    if mask.ndim == 2:
        return mask
    if mask.ndim == 0:
        return mask.expand(shape)
    return mask[None].expand(shape[0], -1) if along_x else mask[:, None].expand(-1, shape[1])
