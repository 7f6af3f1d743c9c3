"""`Pictured`: what pictures of one scan need, as every method sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from gleam.formats.upright import CAPTION, Upright
from gleam.viewing.stack import Planes, Stack
from gleam.viewing.turned import NOMINAL, turned

_WHITE = 0.995  # share of the reference's voxels that white lies above


@dataclass(frozen=True)
class Pictured:
    """One scan: its slices, its volume or its series.

    Attributes:
        scan: its name.
        numbers: of its slices; of a volume, those of its planes across z.
        volume: whether z is a space axis of one image, which can be cut in three ways.
        reference: the target; None where there is none.
        images: method → image.
        sampling: what was sampled, zero frequency in the middle: (y, x), (z, y), or (frame, y).
        white: the magnitude drawn white, if nothing else is chosen.
        voxel: mm along z (of 2D scans, between slices), y and x.
        planes: how those across z, y and x are turned.
        caption: which way that is; empty where the patient's position is not known.
    """

    scan: str
    numbers: list[int]
    volume: bool
    reference: Stack | None
    images: dict[str, Stack]
    sampling: Bool[Tensor, "rows columns"] | None
    white: float
    voxel: tuple[float, float, float] = (1.0, 1.0, 1.0)
    planes: Upright = NOMINAL
    caption: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes of its packed images."""
        stacks = [*self.images.values(), *([self.reference] if self.reference else [])]
        return sum(stack.nbytes for stack in stacks)

    @property
    def size(self) -> tuple[int, int, int, int, int]:
        """Size of each of its stacks; see `Stack`."""
        any_stack = self.reference or next(iter(self.images.values()))
        return any_stack.size

    def of(self, methods: Mapping[str, str]) -> "Pictured":
        """The same with some of the methods, by new names."""
        return replace(self, images={new: self.images[old] for new, old in methods.items()})


def pictured(
    scan: str,
    numbers: Sequence[int],
    reference: Shaped[Tensor, "slice set frame *space"] | None,
    images: Mapping[str, Tensor],
    sampling: Bool[Tensor, "rows columns"] | None = None,
    voxel: tuple[float, ...] = (),
    upright: Upright | None = None,
) -> Pictured:
    """Pack what there is to see of one scan.

    Args:
        scan: its name.
        numbers: of its slices.
        reference, images: (slice, set, frame, *space), space being y x, or z y x of one slice.
        sampling: see `sampling_picture`.
        voxel: mm along each space axis, then the slice distance of 2D scans; empty if not known.
        upright: how its planes are turned; None where the patient's position is not known.
    """
    shown = next(iter(images.values())) if reference is None else reference
    volume = shown.ndim == 6
    y, x = voxel[-2:] if volume and voxel else voxel[:2] or (1.0, 1.0)
    z = (voxel[0] if volume else voxel[2]) if voxel else 1.0
    return Pictured(
        scan=scan,
        numbers=[*range(shown.shape[-3])] if volume else [*numbers],
        volume=volume,
        reference=None if reference is None else Stack.of(_planes(reference)),
        images={method: Stack.of(_planes(image)) for method, image in images.items()},
        sampling=sampling,
        white=_white(shown),
        voxel=(z, y, x),
        planes=turned(upright),
        caption=CAPTION if upright else "",
    )


def _planes(image: Tensor) -> Planes:
    """(slice, set, frame, y, x), or (1, set, frame, z, y, x), as a `Stack` has it."""
    moved = image[0].movedim(2, 0).transpose(1, 2) if image.ndim == 6 else image.transpose(1, 2)
    return moved.to(torch.complex64).numpy()


def _white(image: Tensor) -> float:
    """The magnitude that all but the brightest voxels stay below, root sum of squares over the map
    sets."""
    magnitude = torch.linalg.vector_norm(image, dim=1).nan_to_num(0, 0, 0).numpy()
    return float(np.quantile(magnitude, _WHITE)) or 1.0


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
