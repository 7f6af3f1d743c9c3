"""MATLAB files (.mat): k-space whose axes the user names (see `Layout`), or CMRxRecon's.

Source: MathWorks, "MAT-File Versions" and "MAT-File Format". Version 7.3 is HDF5, whose readers see
the axes in the opposite order; complex numbers are pairs of `real` and `imag`. Versions 6 and 7
("MATLAB 5.0 MAT-file") are read by `matlab5`. Version 4 is refused.

- Words stand in MATLAB's own order: if `size(raw)` says 96 96 1 16, `x y coil` means that rows in
  MATLAB are our `x`, columns our `y`, and that there are 16 coils.
- Without a name, the array is the only complex one, or the only one of these with 3 axes or more.
  It is centred k-space.
- What is zero in every coil was not sampled (see `zeros`); slices that differ in it are scans of
  their own. The file holds no geometry that is known here: voxels are 1 mm, the matrix is
  k-space's, the affine is centred.
- Only complex arrays of numbers are ever opened. They stay in a 7.3 file until a slice is asked
  for; out of older ones, they are read whole (at most 2 GiB).
"""

from functools import partial
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.bare import bare_image, bare_scans, image_arrangement
from gleam.formats.hdf5 import array as hdf5_array
from gleam.formats.layout import Arrangement, Layout
from gleam.formats.lazy import Load
from gleam.formats.matlab import cmrxrecon
from gleam.formats.matlab import version5 as matlab5
from gleam.formats.parts import Scans
from gleam.formats.volume import Volume


def read(path: Path, layout: Layout | None = None) -> Scans:
    """Read the k-space of one array; the file is gone through once, for its zeros.

    Raises:
        BadInput: not a MATLAB file, damaged, which array is meant is not clear, or its axes are
            neither known nor named.
    """
    name, shape = _chosen(path, layout)
    format = f"MATLAB {'7.3' if h5py.is_hdf5(path) else '5'}"
    layout = layout or Layout()
    if layout.axes is None:
        layout = layout.or_else(cmrxrecon.layout(path, name, shape) or Layout())
        format = f"CMRxRecon, {format}"
    if layout.axes is None:
        raise BadInput(
            f"{path}: does not say what the axes of {hdf5_array.listed({name: shape})} mean; name "
            "them in this order, such as --axes 'y x coil'"
        )
    arrangement = layout.arrange(path, shape)
    load = _loader(path, name, arrangement)
    return bare_scans(path, arrangement, load, format)


def read_image(path: Path, layout: Layout | None = None) -> Volume:
    """Read one complex array as an image, its axes named by the user.

    Raises:
        BadInput: as `read`.
    """
    name, shape = _chosen(path, layout)
    arrangement = image_arrangement(path, shape, layout)
    return bare_image(path, arrangement.shape, _loader(path, name, arrangement))


def read_matrix(path: Path) -> NDArray[np.complexfloating] | None:
    """The only complex array, if it has two axes, in MATLAB's order; None if it has more.

    Raises:
        BadInput: not a MATLAB file, damaged, or which array is meant is not clear.
    """
    name, shape = _chosen(path, None)
    if len(shape) != 2:
        return None
    matrix: NDArray[np.complexfloating] = _loader(path, name, Arrangement(("y", "x"), shape))(
        path, 0, slice(None)
    )[0, 0]
    return matrix


def _chosen(path: Path, layout: Layout | None) -> tuple[str, tuple[int, ...]]:
    """Name and shape of the array that is meant."""
    if h5py.is_hdf5(path):
        found = {name: shape[::-1] for name, shape in hdf5_array.arrays(path).items()}
    else:
        found = matlab5.arrays(path)
    arrays = {n: shape for n, shape in found.items() if n.isidentifier() and 0 not in shape}
    name = hdf5_array.choose(path, arrays, layout.variable if layout else None)
    return name, arrays[name]


def _loader(path: Path, name: str, arrangement: Arrangement) -> Load:
    if h5py.is_hdf5(path):
        return partial(hdf5_array.load, name=name, arrangement=arrangement.reversed)
    return partial(_pick, array=matlab5.load(path, name), arrangement=arrangement)


def _pick(
    path: Path, index: int, coils: slice, array: NDArray[np.complex64], arrangement: Arrangement
) -> NDArray[np.complex64]:
    return arrangement.pick(array, index, coils)
