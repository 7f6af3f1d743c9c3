"""Opening HDF5 files of unknown origin: nothing is followed out of the file, nothing swells.

HDF5 lets a dataset live in another file (external links, virtual datasets, external storage) and
claim any size without holding it. None of this is needed for raw data, so all of it is refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from gleam.errors import BadInput
from gleam.files import BEST_COMPRESSION
from gleam.formats.hdf5.header import is_virtual


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Yield the HDF5 file, open for reading.

    Raises:
        BadInput: it is not HDF5, is cut off, or fails while it is read.
    """
    with readable(path), h5py.File(path, "r") as file:
        yield file


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say in one line what is wrong with a file that HDF5 cannot read.

    Raises:
        BadInput: it is not HDF5, is cut off, or fails while it is read.
    """
    try:
        yield
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"{path}: not readable as HDF5 (cut off, damaged or another format); get it anew"
        ) from error


def holds(parent: h5py.Group, name: str) -> bool:
    """Whether a file or a group has an entry of this name, be it a link; nothing is followed."""
    return bool(parent.id.links.exists(name.encode()))


def lies_here(parent: h5py.Group, name: str) -> bool:
    """Whether an entry is neither a link nor a virtual dataset; it is not opened.

    Raises:
        BadInput: its header is damaged.
    """
    link = parent.id.links.get_info(name.encode())
    return link.type == h5py.h5l.TYPE_HARD and not is_virtual(parent.file, link.u)


def group(parent: h5py.Group, name: str) -> h5py.Group:
    """A group that lies in the file itself.

    Raises:
        BadInput: it is missing, or reached by a link.
    """
    found = _entry(parent, name, "group")
    if not isinstance(found, h5py.Group):
        raise BadInput(f"{parent.file.filename}: '{name}' is not a group")
    return found


def dataset(parent: h5py.Group, name: str) -> h5py.Dataset:
    """A dataset that lies in the file itself.

    Raises:
        BadInput: it is missing, reached by a link, stored elsewhere, claims more than the file
            holds, or holds numbers of an odd size.
    """
    path, found = parent.file.filename, _entry(parent, name, "dataset")
    if not isinstance(found, h5py.Dataset):
        raise BadInput(f"{path}: '{name}' is not a dataset")
    if found.is_virtual or found.external:
        raise BadInput(f"{path}: '{name}' lies in other files; store the data in the file")
    if not _as_large_in_memory(found.id.get_type()):
        raise BadInput(f"{path}: '{name}' is damaged, or holds odd numbers; save it as doubles")
    # One with less on disk was never written in full.
    if found.nbytes > BEST_COMPRESSION * found.id.get_storage_size():
        raise BadInput(
            f"{path}: '{name}' claims shape {found.shape} but holds almost no data; fetch it again"
        )
    return found


def _as_large_in_memory(kind: h5py.h5t.TypeID) -> bool:
    """Whether numbers take the same space as in the file.

    h5py reads others, as a damaged file may claim, into the bytes beside them, or beyond its array.
    """
    if isinstance(kind, h5py.h5t.TypeCompoundID):
        members = (kind.get_member_type(index) for index in range(kind.get_nmembers()))
        return all(map(_as_large_in_memory, members))
    if isinstance(kind, h5py.h5t.TypeFloatID | h5py.h5t.TypeIntegerID):
        return bool(kind.dtype.itemsize == kind.get_size())
    return True


def _entry(parent: h5py.Group, name: str, kind: str) -> object:
    path = parent.file.filename
    if not holds(parent, name):
        raise BadInput(f"{path}: holds no {kind} '{name}'")
    link = parent.id.links.get_info(name.encode())
    if link.type != h5py.h5l.TYPE_HARD:
        raise BadInput(f"{path}: '{name}' is a link to elsewhere; store the data in the file")
    if is_virtual(parent.file, link.u):
        raise BadInput(f"{path}: '{name}' lies in other files; store the data in the file")
    entry: object = parent[name]
    return entry
