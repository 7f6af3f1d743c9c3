"""Strings among the attributes of an HDF5 file of unknown origin.

Strings of variable length are not left to HDF5 (`hdf5_variable` says why). So the place of their
content is looked up here, in the object header of the file's root (see `hdf5_header`).

Source: the HDF5 file format specification, version 3.0, https://docs.hdfgroup.org/hdf5/v1_14. An
attribute is 1, 0, the sizes of its name, datatype and shape in 2 bytes each; then these, each
filled up to a multiple of 8 bytes, and the value.
"""

import struct
from pathlib import Path

import h5py
import numpy as np

from gleam.formats.hdf5.header import ATTRIBUTE, messages
from gleam.formats.hdf5.variable import PLACE, contents


def text(file: h5py.File, name: str) -> str | None:
    """A string attribute of the file; None where it has none, or has another layout.

    Raises:
        BadInput: what it should hold is not there.
    """
    if name not in file.attrs or file.userblock_size:
        return None
    attribute = file.attrs.get_id(name)
    kind = h5py.check_string_dtype(attribute.dtype)
    if attribute.shape != () or kind is None:
        return None
    if kind.length is not None:
        raw: bytes = file.attrs[name]
        return raw.decode(errors="replace")
    value = _values(file).get(name, b"")
    if len(value) < PLACE.itemsize:
        return None
    place = np.frombuffer(value, PLACE, 1)
    return next(contents(Path(file.filename), place, 1)).decode(errors="replace")


def _values(file: h5py.File) -> dict[str, bytes]:
    """The value of each attribute of the root, as it lies in the file."""
    found = {}
    for kind, content in messages(file, h5py.h5o.get_info(file.id).addr):
        if kind == ATTRIBUTE and len(content) >= 8:
            sizes = struct.unpack_from("<2x3H", content)
            name = content[8:][: sizes[0]].rstrip(b"\0").decode(errors="replace")
            found[name] = content[8 + sum(-(-size // 8) * 8 for size in sizes) :]
    return found
