"""NumPy files: complex k-space in, complex images out.

K-space is complex64 or complex128, centred at ⌊N/2⌋, with axes (coil, y, x), (slice, coil, y, x)
or (slice, coil, frame, y, x); which axis was the readout is not known. What is zero in every coil
was not sampled; slices must agree. The file holds no geometry: voxels are 1 mm, the matrix is
k-space's, the affine is centred.

Images are complex64 (slice, frame, y, x) or (1, frame, z, y, x).

Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. Pickled objects are
refused.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.files import replacing
from gleam.formats.scan import Scan
from gleam.formats.stored import bare_scan
from gleam.formats.volume import Volume


def read(path: Path) -> Scan:
    """Read k-space; it stays in the file until a slice is asked for.

    The file is gone through once, for its zeros.

    Raises:
        BadInput: not a .npy file, cut off, not complex, or of another number of axes.
    """
    return bare_scan(path, _view(path), _load, readout=None)


def write_image(volume: Volume, path: Path) -> None:
    """Write the complex image.

    Raises:
        BadInput: the folder cannot be written to.
    """
    with replacing(path) as temporary:
        np.save(temporary, volume.image, allow_pickle=False)


def _view(path: Path) -> NDArray[np.complexfloating]:
    """Map the data as (slice, coil, frame, y, x)."""
    try:
        with np.errstate(over="raise"):  # the size that the header claims
            mapped = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # NumPy parses the header as Python: many kinds may come
        raise BadInput(
            f"{path}: not a .npy file of plain numbers (cut off, pickled or another format); "
            "save the array again"
        ) from error
    if mapped.dtype.kind != "c" or mapped.ndim not in (3, 4, 5) or mapped.size == 0:
        raise BadInput(
            f"{path}: holds {mapped.dtype} of shape {mapped.shape}; expected complex (coil, y, x), "
            "(slice, coil, y, x) or (slice, coil, frame, y, x)"
        )
    if mapped.ndim == 3:
        return mapped[None, :, None]
    return mapped[:, :, None] if mapped.ndim == 4 else mapped


def _load(path: Path, index: int) -> NDArray[np.complexfloating]:
    kspace: NDArray[np.complexfloating] = _view(path)[index]
    return kspace
