"""A quick look: the middle slice, planes of a volume, and where k-space was sampled."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from gleam.arrays import crop
from gleam.data.collate import Item, collate, upright_of
from gleam.data.example import Example
from gleam.data.loader import SLAB
from gleam.data.volume import collate_volume
from gleam.formats.lazy import each_coil
from gleam.formats.pictures import grey, squared
from gleam.formats.scan import Array, Scan
from gleam.formats.upright import CAPTION, Upright, upright
from gleam.physics.baselines import cg_sense, zero_filled
from gleam.physics.classical import TITLES
from gleam.physics.fourier import ifft, shift_free
from gleam.viewing.cuts import cuts, plane_name
from gleam.viewing.turned import turned

_IN_PLANE = (-2, -1)
_SLICE = "middle slice"


@dataclass(frozen=True)
class Preview:
    """Some pictures.

    Attributes:
        images: by name, (rows, columns) float32 magnitude: of 2D scans the middle slice, of series
            the mean of its frames and a profile over time, of 3D scans three planes.
        sampling: (rows, columns) float32 from 0 to 1, centred k-space: the share of frames that
            sampled a position; of 3D scans, its mean along the readout.
        voxels: by name of an image, lengths of its voxels along rows and columns in mm; a profile
            over time has none.
        method: how the image was made.
        caption: which way the planes of a volume are shown; empty where that is not known.
    """

    images: dict[str, NDArray[np.float32]]
    sampling: NDArray[np.float32]
    voxels: dict[str, tuple[float, ...]]
    method: str
    caption: str = ""

    def pictures(self) -> list[NDArray[np.uint8]]:
        """The images in grey levels, their pixels square, and the sampling beside them."""
        square = (1.0, 1.0)
        levels = [
            squared(grey(image), self.voxels.get(name, square))
            for name, image in self.images.items()
        ]
        return [*levels, (255 * self.sampling).astype(np.uint8)]


def of_scan(scan: Scan, example: Example | None) -> Preview:
    """A preview of a scan: by CG-SENSE if it is 2D and can be prepared, else zero-filled.

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
        return _preview(_seen(example), sampling, TITLES["cg-sense"], scan.voxel, None)
    alike = bool((scan.sampled == scan.sampled[:1]).all())
    energies = []
    for kspace in each_coil(scan.kspace, scan.kspace.shape[0] // 2):
        # Frames that differ in sign would cancel in an average.
        frames = kspace if alike else (kspace.mean(axis=0) / np.where(share > 0, share, 1))[None]
        planes = zip(*map(_planes, frames), strict=True)
        energies.append([_energy(np.stack(plane)) for plane in planes])
    images, seen = {}, None
    if len(scan.matrix) == 3:
        seen = upright(scan.affine, scan.matrix, scan.voxel, 1)
    for axis, of_coils in enumerate(zip(*energies, strict=True)):
        name, matrix = _SLICE, scan.matrix
        if len(matrix) == 3:
            name = plane_name(axis, matrix[axis] // 2, seen)
            matrix = matrix[:axis] + matrix[axis + 1 :]
        magnitude = torch.stack(of_coils).sum(0).sqrt()
        sizes = [min(m, n) for m, n in zip(matrix, magnitude.shape, strict=True)]
        image = crop(magnitude, sizes).numpy()
        images[name] = turned(seen)[axis].shown(image) if len(scan.matrix) == 3 else image
    return _preview(images, sampling, TITLES["zero-filled"], scan.voxel, seen)


def _planes(kspace: Array) -> list[Array]:
    """K-space of a coil's slice, or of the middle planes of its volume, across z, y and x."""
    if kspace.ndim == 2:
        return [kspace]
    # At the origin of an axis, its Fourier transform is a sum.
    return [kspace.sum(axis=axis) / math.sqrt(size) for axis, size in enumerate(kspace.shape)]


def of_example(example: Example) -> Preview:
    """A preview of an example file: by CG-SENSE if it is 2D, else zero-filled.

    Raises:
        BadInput: the slice cannot be read.
    """
    header = example.header
    share = torch.fft.fftshift(example.sampled.float().mean(0), dim=header.axes)
    sampling = share.expand(example.shape[3:])
    if sampling.ndim == 3:
        sampling = sampling.mean(-3 if header.readout is None else header.readout)
    method = TITLES["cg-sense" if len(example.shape) == 5 else "zero-filled"]
    seen = upright_of(example) if len(example.shape) == 6 else None
    return _preview(_seen(example), sampling.numpy(), method, header.voxel, seen)


@torch.no_grad()
def _seen(example: Example) -> dict[str, NDArray[np.float32]]:
    """The middle slice, cut; what moves is averaged over time."""
    item = Item(example, example.shape[0] // 2, seed=0)
    volume = example.header.slab_axis is not None
    batch = collate_volume(item, None, SLAB) if volume else collate([item], None)
    method = cg_sense if len(example.shape) == 5 else zero_filled
    image = method(batch.measurement)[0]  # (set, frame, *space)
    magnitude = crop(image.abs().square().sum(0).sqrt(), example.header.matrix)
    found = cuts(magnitude, upright_of(example))
    return {name or _SLICE: cut(magnitude).mean(0).numpy() for name, cut in found.items()}


def _preview(
    images: dict[str, NDArray[np.float32]],
    sampling: NDArray[np.float32],
    method: str,
    voxel: tuple[float, ...],
    seen: Upright | None,
) -> Preview:
    """The preview of images as they are shown: the planes across z, y and x, or that of a slice."""
    lengths = [voxel[:2]]
    if _SLICE not in images:
        across = [voxel[:axis] + voxel[axis + 1 :] for axis in range(3)]
        planes = zip(turned(seen), across, strict=True)
        lengths = [along[::-1] if plane.transposed else along for plane, along in planes]
    voxels = dict(zip(images, lengths, strict=False))  # what follows is over time
    return Preview(images, sampling, voxels, method, CAPTION if seen else "")


def _energy(kspace: Array) -> Float[Tensor, "rows columns"]:
    """(frame, rows, columns) k-space to the mean squared magnitude of its images."""
    images = ifft(shift_free(torch.from_numpy(kspace), _IN_PLANE), _IN_PLANE)
    return images.abs().square().mean(0)
