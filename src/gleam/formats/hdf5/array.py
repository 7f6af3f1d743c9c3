"""K-space in HDF5 files (.h5) without a header: complex arrays whose axes the user names.

- Without a name, the array is `kspace`, or the only complex one, or the only one of these with 3
  axes or more. Only arrays in the file's root are looked at. Words stand in the order of the
  shape, as h5py shows it.
- An array `kspace` of 4 axes that are not named is what fastMRI calls so: (slice, coil, readout,
  phase).
- `mask`, where there is one, says by zeros what else was not sampled: one number for each x, or an
  array (y, x) or (frame, y, x), with z before y in 3D.
- All else is as in .npy files: what is zero in every coil was not sampled (see `zeros`), slices
  that differ in it are scans of their own, voxels are 1 mm, the affine is centred.

Complex numbers are h5py's (`r`, `i`) or MATLAB's (`real`, `imag`).
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.bare import bare_scans
from gleam.formats.hdf5 import file as hdf5
from gleam.formats.layout import Arrangement, Layout
from gleam.formats.parts import Scans
from gleam.words import nearest

_USUAL = "kspace"
_FASTMRI = Layout(("slice", "coil", "y", "x"), readout="y")


def read(path: Path, layout: Layout | None = None) -> Scans:
    """Read the k-space of one array; the file is gone through once, for its zeros.

    Raises:
        BadInput: damaged, no complex array, which one is meant is not clear, its axes are neither
            known nor named, or a mask does not fit.
    """
    layout, found = layout or Layout(), arrays(path)
    usual = _USUAL if _USUAL in found else None
    name = choose(path, found, layout.variable or usual)
    shape = found[name]
    if name == _USUAL and len(shape) == 4:
        layout = layout.or_else(_FASTMRI)
    if layout.axes is None:
        raise BadInput(
            f"{path}: has no header, and does not say what the axes of {listed({name: shape})} "
            "mean; name them in this order, such as --axes 'coil y:readout x'"
        )
    arrangement = layout.arrange(path, shape)
    mask = _mask(path, arrangement)
    load = partial(_load_sampled, name=name, arrangement=arrangement, mask=mask)
    return bare_scans(path, arrangement, load, "HDF5 array")


def arrays(path: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every complex array in the root of a file.

    Raises:
        BadInput: the file is damaged.
    """
    found = {}
    with hdf5.opened(path) as file:
        for name in file:
            if isinstance(name, bytes) or not hdf5.lies_here(file, name):  # bytes: not UTF-8
                continue
            entry = file[name]
            if isinstance(entry, h5py.Dataset) and entry.shape and _complex(entry.dtype):
                found[name] = entry.shape
    return {name: shape for name, shape in found.items() if 0 not in shape}


def choose(path: Path, arrays: Mapping[str, tuple[int, ...]], name: str | None) -> str:
    """Choose the complex array that is meant.

    Raises:
        BadInput: none, or none of this name, or one of several.
    """
    if not arrays:
        raise BadInput(f"{path}: holds no complex array in its root, so no k-space")
    if name is None:
        likely = {n: shape for n, shape in arrays.items() if len(shape) >= 3} or arrays
        if len(likely) > 1:
            raise BadInput(f"{path}: holds {listed(likely)}; say by --variable which is k-space")
        return next(iter(likely))
    if name not in arrays:
        raise BadInput(f"{path}: holds no complex array {name!r}; {nearest(name, arrays)}")
    return name


def listed(arrays: Mapping[str, tuple[int, ...]]) -> str:
    """Names and sizes, for messages."""
    return ", ".join(f"{name!r} ({' × '.join(map(str, n))})" for name, n in arrays.items())


def load(
    path: Path, index: int, coils: slice, name: str, arrangement: Arrangement
) -> NDArray[np.complexfloating]:
    """Some coils of a slice, (coil, frame, *space), whichever way its numbers are complex."""
    with hdf5.opened(path) as file:
        picked = arrangement.pick(hdf5.dataset(file, name), index, coils)
    if picked.dtype.kind == "c":
        return picked
    data = np.empty(picked.shape, np.complex64)
    with np.errstate(over="ignore", invalid="ignore"):  # `Stored` refuses what comes of it
        data.real, data.imag = picked["real"], picked["imag"]
    return data


def _load_sampled(
    path: Path,
    index: int,
    coils: slice,
    name: str,
    arrangement: Arrangement,
    mask: NDArray[np.bool_] | None,
) -> NDArray[np.complexfloating]:
    data = load(path, index, coils, name, arrangement)
    return data if mask is None else data * mask


def _mask(path: Path, arrangement: Arrangement) -> NDArray[np.bool_] | None:
    """(frame, *space), axes of length 1 broadcast."""
    with hdf5.opened(path) as file:
        if not hdf5.holds(file, "mask"):
            return None
        stored = hdf5.dataset(file, "mask")
        shape, kind, size = stored.shape, stored.dtype.kind, arrangement.shape[2:]
        while len(shape) > 1 and shape[0] == 1:
            shape = shape[1:]
        broadcast = (1,) * (len(size) - len(shape)) + shape
        if (
            kind not in "biuf"
            or not shape
            or len(broadcast) != len(size)
            or any(n not in (1, most) for n, most in zip(broadcast, size, strict=True))
        ):
            raise BadInput(
                f"{path}: 'mask' is {stored.dtype} of shape {stored.shape}; expected one number "
                f"for each of the {size[-1]} x, or of {' × '.join(map(str, size[1:]))} positions"
            )
        return np.asarray(stored[()] != 0).reshape(broadcast)


def _complex(dtype: np.dtype[Any]) -> bool:
    pair = dtype.names == ("real", "imag") and all(dtype[n].kind in "fiu" for n in dtype.names)
    return dtype.kind == "c" or pair
