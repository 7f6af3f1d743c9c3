"""`Example`: what a picture of one slice needs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool
from torch import Tensor

from gleam.arrays import Image
from gleam.evaluation.scores import Score
from gleam.formats.upright import CAPTION, Upright
from gleam.viewing.views import View, views


@dataclass(frozen=True)
class Example:
    """One slice, or one volume, as every method sees it.

    Attributes:
        scan: name of the scan.
        slice: number of the slice.
        views: planes and profiles.
        sampling: what was sampled, zero frequency in the middle: (y, x), (z, y), or (frame, y).
        scores: method → scores of the slice.
        caption: which way a volume's planes are shown; empty where that is not known.
    """

    scan: str
    slice: int | None
    views: list[View]
    sampling: Bool[Tensor, "rows columns"]
    scores: dict[str, Score]
    caption: str = ""

    def of(self, methods: Mapping[str, str]) -> "Example":
        """The same with some of the methods, by new names."""
        scores = {new: replace(self.scores[old], method=new) for new, old in methods.items()}
        return replace(self, views=[view.of(methods) for view in self.views], scores=scores)


def example(
    target: Image,
    images: dict[str, Tensor],
    mask: Bool[Tensor, "#frame *#space"],
    scores: dict[str, Score],
    upright: Upright | None = None,
) -> Example:
    """What there is to see of one example (batch 1); `mask` is in shift-free order."""
    any_score = next(iter(scores.values()))
    return Example(
        scan=any_score.scan,
        slice=any_score.slice,
        views=views(target, images, upright),
        sampling=sampling_picture(mask, (target.shape[-2], target.shape[-1])),
        scores=scores,
        caption=CAPTION if upright and target.ndim == 6 else "",
    )


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
