"""NumPy files: complex k-space in, images in and out.

K-space is complex64 or complex128, centred at ⌊N/2⌋. Its axes are those that the user names (see
`Layout`), else (coil, y, x), (slice, coil, y, x) or (slice, coil, frame, y, x), of unknown readout.
What is zero in every coil was not sampled (see `zeros`); slices that differ in it are scans of
their own. The file holds no geometry: voxels are 1 mm, the matrix is k-space's, the affine is
centred.

Images are written as complex64 (slice, frame, y, x) or (1, frame, z, y, x). Those read are numbers
of any kind, whose axes the user names; voxels are 1 mm.

Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. Pickled objects are
refused.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.files import replacing
from gleam.formats.bare import bare_image, bare_scans, image_arrangement
from gleam.formats.layout import Arrangement, Layout
from gleam.formats.parts import Scans
from gleam.formats.volume import Volume

USUAL = {
    3: Layout(("coil", "y", "x")),
    4: Layout(("slice", "coil", "y", "x")),
    5: Layout(("slice", "coil", "frame", "y", "x")),
}


def read(path: Path, layout: Layout | None = None) -> Scans:
    """Read k-space; it stays in the file until a slice is asked for.

    The file is gone through once, for its zeros.

    Raises:
        BadInput: not a .npy file, cut off, not complex, or of axes that `layout` does not fit.
    """
    if layout and layout.variable is not None:
        raise BadInput(f"{path}: holds one array without a name; leave --variable out")
    shape = _mapped(path).shape
    layout = (layout or Layout()).or_else(USUAL.get(len(shape), Layout()))
    if layout.axes is None:
        raise BadInput(
            f"{path}: holds an array of shape {shape}; (coil, y, x), (slice, coil, y, x) and "
            "(slice, coil, frame, y, x) are understood, others with their axes named by --axes"
        )
    arrangement = layout.arrange(path, shape)
    load = partial(_load, arrangement=arrangement)
    return bare_scans(path, arrangement, load, "NumPy array")


def read_image(path: Path, layout: Layout | None = None) -> Volume:
    """Read an image, real or complex.

    Raises:
        BadInput: not a .npy file of numbers, cut off, or of axes that are not named or do not fit.
    """
    if layout and layout.variable is not None:
        raise BadInput(f"{path}: holds one array without a name; leave --variable out")
    shape = _mapped(path, "biufc").shape
    arrangement = image_arrangement(path, shape, layout)
    return bare_image(
        path, arrangement.shape, partial(_load, arrangement=arrangement, kinds="biufc")
    )


def read_matrix(path: Path) -> NDArray[np.complexfloating] | None:
    """Complex numbers of two axes, as they are; None if there are more axes, or one.

    Raises:
        BadInput: not a .npy file, cut off, or not complex.
    """
    mapped = _mapped(path)
    return mapped if mapped.ndim == 2 else None


def write_image(volume: Volume, path: Path) -> None:
    """Write the complex image.

    Raises:
        BadInput: the folder cannot be written to.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:  # whose name is as it is
        np.save(file, volume.image, allow_pickle=False)


def _mapped(path: Path, kinds: str = "c") -> NDArray[Any]:
    try:
        with np.errstate(over="raise"):  # the size that the header claims
            mapped = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # NumPy parses the header as Python: many kinds may come
        raise BadInput(
            f"{path}: not a .npy file of plain numbers (cut off, pickled or another format); "
            "save the array again"
        ) from error
    if mapped.dtype.kind not in kinds or mapped.size == 0:
        raise BadInput(
            f"{path}: holds {mapped.dtype} of shape {mapped.shape}; expected "
            + ("complex k-space" if kinds == "c" else "an image of numbers")
        )
    return mapped


def _load(
    path: Path, index: int, coils: slice, arrangement: Arrangement, kinds: str = "c"
) -> NDArray[Any]:
    return arrangement.pick(_mapped(path, kinds), index, coils)
