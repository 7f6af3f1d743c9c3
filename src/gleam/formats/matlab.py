"""MATLAB files (.mat): k-space whose axes the user names (see `Layout`), or CMRxRecon's.

Source: MathWorks, "MAT-File Versions" and "MAT-File Format". Version 7.3 is HDF5, whose readers see
the axes in the opposite order; complex numbers are pairs of `real` and `imag`. Versions 6 and 7
("MATLAB 5.0 MAT-file") are read by `matlab5`. Version 4 is refused.

- Words stand in MATLAB's own order: if `size(raw)` says 96 96 1 16, `x y coil` means that rows in
  MATLAB are our `x`, columns our `y`, and that there are 16 coils.
- Without a name, the array is the only complex one, or the only one of these with 3 axes or more.
  It is centred k-space.
- What is zero in every coil was not sampled; slices must agree. The file holds no geometry that is
  known here: voxels are 1 mm, the matrix is k-space's, the affine is centred.
- Only complex arrays of numbers are ever opened. They stay in a 7.3 file until a slice is asked
  for; out of older ones, they are read whole (at most 2 GiB).
"""

from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats import cmrxrecon, hdf5, matlab5
from gleam.formats.layout import Arrangement, Layout
from gleam.formats.scan import Scan
from gleam.formats.stored import Load, bare_image, bare_scan, image_arrangement
from gleam.formats.volume import Volume
from gleam.words import nearest


def read(path: Path, layout: Layout | None = None) -> Scan:
    """Read the k-space of one array; the file is gone through once, for its zeros.

    Raises:
        BadInput: not a MATLAB file, damaged, which array is meant is not clear, or its axes are
            neither known nor named.
    """
    name, shape = _chosen(path, layout)
    format = f"MATLAB {'7.3' if h5py.is_hdf5(path) else '5'}"
    if layout is None or layout.axes is None:
        layout = cmrxrecon.layout(path, name, shape)
        format = f"CMRxRecon, {format}"
    if layout is None:
        raise BadInput(
            f"{path}: does not say what the axes of {_listed({name: shape})} mean; name "
            "them in this order, such as --axes 'y x coil'"
        )
    arrangement = layout.arrange(path, shape)
    load = _loader(path, name, arrangement)
    return bare_scan(path, arrangement.shape, load, arrangement.readout, format)


def read_image(path: Path, layout: Layout | None = None) -> Volume:
    """Read one complex array as an image, its axes named by the user.

    Raises:
        BadInput: as `read`.
    """
    name, shape = _chosen(path, layout)
    arrangement = image_arrangement(path, shape, layout)
    return bare_image(path, arrangement.shape, _loader(path, name, arrangement))


def _chosen(path: Path, layout: Layout | None) -> tuple[str, tuple[int, ...]]:
    """Name and shape of the array that is meant."""
    found = _arrays(path) if h5py.is_hdf5(path) else matlab5.arrays(path)
    arrays = {n: shape for n, shape in found.items() if n.isidentifier() and 0 not in shape}
    name = _choose(path, arrays, layout.variable if layout else None)
    return name, arrays[name]


def _loader(path: Path, name: str, arrangement: Arrangement) -> Load:
    if h5py.is_hdf5(path):
        return partial(_load, name=name, arrangement=arrangement.reversed)
    return partial(_pick, array=matlab5.load(path, name), arrangement=arrangement)


def _choose(path: Path, arrays: dict[str, tuple[int, ...]], name: str | None) -> str:
    if not arrays:
        raise BadInput(f"{path}: holds no complex array, so no k-space")
    if name is None:
        likely = {n: shape for n, shape in arrays.items() if len(shape) >= 3} or arrays
        if len(likely) > 1:
            raise BadInput(f"{path}: holds {_listed(likely)}; say by --variable which is k-space")
        return next(iter(likely))
    if name not in arrays:
        raise BadInput(f"{path}: holds no complex array {name!r}; {nearest(name, arrays)}")
    return name


def _listed(arrays: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name!r} ({' × '.join(map(str, n))})" for name, n in arrays.items())


def _arrays(path: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape, in MATLAB's order, of every complex array of a 7.3 file."""
    found = {}
    with hdf5.opened(path) as file:
        for name in file:
            if isinstance(name, bytes) or not hdf5.lies_here(file, name):  # bytes: not UTF-8
                continue
            entry = file[name]
            if isinstance(entry, h5py.Dataset) and entry.shape and _complex(entry.dtype):
                found[name] = entry.shape[::-1]
    return found


def _complex(dtype: np.dtype[Any]) -> bool:
    return dtype.names == ("real", "imag") and all(dtype[n].kind in "fiu" for n in dtype.names)


def _load(
    path: Path, index: int, coils: slice, name: str, arrangement: Arrangement
) -> NDArray[np.complexfloating]:
    with hdf5.opened(path) as file:
        pairs = arrangement.pick(hdf5.dataset(file, name), index, coils)
    data = np.empty(pairs.shape, np.complex64)
    with np.errstate(over="ignore", invalid="ignore"):  # `Stored` refuses what comes of it
        data.real, data.imag = pairs["real"], pairs["imag"]
    return data


def _pick(
    path: Path, index: int, coils: slice, array: NDArray[np.complex64], arrangement: Arrangement
) -> NDArray[np.complex64]:
    return arrangement.pick(array, index, coils)
