"""Results in the files that two challenges take; of the image, what they look at, as magnitudes.

fastMRI (`save_reconstructions` of https://github.com/facebookresearch/fastMRI): HDF5, named like
the raw file, with `reconstruction`, (slice, y, x) float32, cropped to the matrix asked for. It is
compared with the root sum of squares of the coils: a SENSE image has the same intensities where
maps are normalised, as GLEAM's are.

CMRxRecon (`run4Ranking.m` of https://github.com/CmrxRecon/CMRxRecon2024; that of 2023 was not
compared): MATLAB 5, named like the raw file, with `img4ranking`, (x, y, slice, frame) single, x
being the readout, our y. Of it,

- the middle third along x, the middle half along y, with sizes rounded half up;
- of three slices or more, ⌈N/2⌉ − 1 and ⌈N/2⌉, counted from 1;
- the first three frames; of a mapping ("T1map" or "T2map" in its name), all. "blackblood" has none.
"""

from pathlib import Path

import h5py
import numpy as np
import scipy
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.files import replacing
from gleam.formats.hdf5.writer import creating
from gleam.formats.volume import Volume

_FRAMES = 3


def write_fastmri(volume: Volume, path: Path) -> None:
    """Write what fastMRI takes.

    Raises:
        BadInput: a series or a volume, or the folder cannot be written to.
    """
    _, frames, *space = volume.image.shape
    if frames != 1 or len(space) != 2:
        raise BadInput(f"{volume.name}: fastMRI takes static 2D scans; choose another --format")
    with creating(path, h5py.File) as (file, _):
        file["reconstruction"] = np.abs(volume.image[:, 0]).astype(np.float32)


def write_cmrxrecon(volume: Volume, path: Path) -> None:
    """Write what CMRxRecon ranks.

    Raises:
        BadInput: a 3D scan, or the folder cannot be written to.
    """
    if volume.image.ndim != 4:
        raise BadInput(f"{volume.name}: CMRxRecon takes 2D scans; choose another --format")
    with replacing(path) as temporary:
        scipy.io.savemat(temporary, {"img4ranking": _ranked(volume)}, do_compression=True)


def _ranked(volume: Volume) -> NDArray[np.float32]:
    image = np.abs(volume.image).astype(np.float32).transpose(2, 3, 0, 1)  # x y slice frame
    rows, columns, slices, frames = image.shape
    image = image[_middle(rows, 3)][:, _middle(columns, 2)]
    if slices > 2:
        last = (slices + 1) // 2
        image = image[:, :, last - 2 : last]
    if "blackblood" in volume.name:
        return image[..., 0]
    mapping = "T1map" in volume.name or "T2map" in volume.name
    return image[..., : frames if mapping else _FRAMES]


def _middle(size: int, parts: int) -> slice:
    """The middle one of so many parts, around ⌊N/2⌋."""
    part = (2 * size + parts) // (2 * parts)  # rounded half up
    start = size // 2 - part // 2
    return slice(start, start + part)
