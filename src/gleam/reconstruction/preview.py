"""A quick look: the middle slice, and where k-space was sampled."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gleam.arrays import crop
from gleam.data.batch import Item, collate, collate_volume
from gleam.data.example import Example
from gleam.data.loader import SLAB
from gleam.formats.scan import Scan
from gleam.formats.stored import each_coil
from gleam.physics.fourier import ifft, shift_free
from gleam.reconstruction.baselines import cg_sense, zero_filled

_IN_PLANE = (-2, -1)


@dataclass(frozen=True)
class Preview:
    """Two pictures.

    Attributes:
        image: (y, x) float32 magnitude of the middle slice, of 3D scans the plane z = ⌊N/2⌋; the
            mean of the frames.
        sampling: (rows, columns) float32 from 0 to 1, centred k-space: the share of frames that
            sampled a position; of 3D scans, its mean along the readout.
        method: how the image was made.
    """

    image: NDArray[np.float32]
    sampling: NDArray[np.float32]
    method: str


def of_scan(scan: Scan, example: Example | None) -> Preview:
    """Of a scan: by CG-SENSE if it is 2D and can be prepared, else zero-filled.

    Args:
        scan: the scan.
        example: made of it; None where that cannot be.

    Raises:
        BadInput: the slice cannot be read.
    """
    share = scan.sampled.mean(axis=0, dtype=np.float32)
    sampling = np.broadcast_to(share, scan.space)
    if sampling.ndim == 3:
        sampling = sampling.mean(axis=scan.readout or 0)
    elif example is not None:
        return Preview(_middle(example), sampling, "CG-SENSE")
    weight = 1 / np.where(share > 0, share, 1)
    coils = []
    for kspace in each_coil(scan.kspace, scan.kspace.shape[0] // 2):
        average = kspace.mean(axis=0) * weight
        if average.ndim == 3:  # at the origin of z, its Fourier transform is a sum
            average = average.sum(axis=0) / math.sqrt(scan.space[0])
        coils.append(average)
    image = _root_sum_of_squares(torch.from_numpy(np.stack(coils)), scan.matrix[-2:])
    return Preview(image, sampling, "zero-filled")


def of_example(example: Example) -> Preview:
    """Of an example file: by CG-SENSE if it is 2D, else zero-filled.

    Raises:
        BadInput: the slice cannot be read.
    """
    header = example.header
    share = torch.fft.fftshift(example.sampled.float().mean(0), dim=header.axes)
    sampling = share.expand(example.shape[3:])
    if sampling.ndim == 3:
        sampling = sampling.mean(-3 if header.readout is None else header.readout)
    method = "CG-SENSE" if len(example.shape) == 5 else "zero-filled"
    return Preview(_middle(example), sampling.numpy(), method)


@torch.no_grad()
def _middle(example: Example) -> NDArray[np.float32]:
    item = Item(example, example.shape[0] // 2, seed=0)
    volume = example.header.slab_axis is not None
    batch = collate_volume(item, None, SLAB) if volume else collate([item], None)
    method = cg_sense if len(example.shape) == 5 else zero_filled
    image = method(batch.measurement)[0]  # (set, frame, *space)
    magnitude = crop(image.abs().square().sum(0).sqrt().mean(0), example.header.matrix)
    plane: Tensor = magnitude[len(magnitude) // 2] if magnitude.ndim == 3 else magnitude
    return plane.numpy()


def _root_sum_of_squares(kspace: Tensor, matrix: tuple[int, ...]) -> NDArray[np.float32]:
    """(coil, y, x) k-space to the image, cropped."""
    images = ifft(shift_free(kspace, _IN_PLANE), _IN_PLANE)
    sizes = [min(m, n) for m, n in zip(matrix, kspace.shape[1:], strict=True)]
    magnitude: Tensor = crop(images.abs().square().sum(0).sqrt(), sizes)
    return magnitude.numpy()
