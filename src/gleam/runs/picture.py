"""The picture of a validation: a plane of its first scan, to see what the numbers say.

The reconstruction, the target and the magnitude of their complex error, side by side, in grey;
pixels are square, and the head is up where that is known (see `gleam.formats.pictures`).
Black is 0. White is the same through a run: what 99.5 % of the target's pixels stay below, and for
the error that over `GAIN`. Where there is no target, the reconstruction is alone, and white is what
its first picture says since training began or went on.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Complex
from numpy.typing import NDArray
from torch import Tensor

from gleam.arrays import Image, crop
from gleam.data.batch import Batch
from gleam.data.example import Example
from gleam.data.loader import slices_in_turn
from gleam.formats.pictures import squared
from gleam.metrics import magnitude

GAIN = 5


class Picture:
    """Image of a validation, as it was last.

    Args:
        scan: the name of the one shown.
        index: of its slice; a volume has one, whose middle plane is shown, and of a series the
            middle frame.
        voxel: lengths along rows and columns, and whatever follows, in any unit.
    """

    def __init__(self, scan: str, index: int, voxel: tuple[float, ...] = (1.0, 1.0)) -> None:
        self.scan, self.index, self.voxel = scan, index, voxel
        self.levels: NDArray[np.uint8] | None = None
        self._white: float | None = None

    def look(self, image: Image, batch: Batch) -> None:
        """Draw the slice if it is in a batch; the rest is not looked at.

        Args:
            image: reconstructed of the batch.
            batch: with or without a target.
        """
        if self.scan not in batch.scans or self.index not in batch.slices:
            return
        number = batch.slices.index(self.index)
        got = _plane(image, batch, number)
        if batch.target is None:
            parts, reference = [magnitude(got)], got
        else:
            reference = _plane(batch.target, batch, number)
            error = GAIN * magnitude(got - reference)
            parts = [magnitude(got), magnitude(reference), error]
        if self._white is None:
            self._white = float(np.quantile(magnitude(reference).numpy(), 0.995)) or 1.0
        grey = (torch.cat(parts) / self._white).nan_to_num(1).clamp(0, 1)
        levels = squared((255 * grey).round().to(torch.uint8).numpy(), self.voxel)
        upright = batch.upright[number] if batch.upright else None
        self.levels = np.concatenate(levels if upright is None else upright[0].shown(levels), -1)


def picture_of(examples: Sequence[Example], batch: int, share: tuple[int, int]) -> Picture:
    """The picture of the first example: of its slices in this process's share, the middle one.

    Args:
        examples: at least one.
        batch, share: see `gleam.data.loader.every_slice`.
    """
    first = examples[0]
    turns = slices_in_turn(examples[:1], batch, share)
    own = [index for _, indices in turns for index in indices]
    voxel = first.header.voxel
    in_plane = voxel if len(first.shape) == 5 else voxel[1:]
    return Picture(first.header.name, own[len(own) // 2], in_plane)


def _plane(image: Image, batch: Batch, number: int) -> Complex[Tensor, "1 set rows columns"]:
    """The middle one, on the CPU."""
    plane = crop(image[number : number + 1], batch.matrix)
    plane = plane[:, :, plane.shape[2] // 2]
    if plane.ndim == 5:
        plane = plane[:, :, plane.shape[2] // 2]
    return plane.cpu()
