"""Opening HDF5 files of unknown origin: nothing is followed out of the file, nothing swells.

HDF5 lets a dataset live in another file (external links, virtual datasets, external storage) and
claim any size without holding it. None of this is needed for raw data, so all of it is refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from gleam.errors import BadInput

# Deflate packs at most 1032 : 1; a dataset with less on disk than that was never written in full.
_BEST_COMPRESSION = 1032


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Yield the HDF5 file, open for reading.

    Raises:
        BadInput: it is not HDF5, is cut off, or fails while it is read.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"{path}: not readable as HDF5 (cut off, damaged or another format); get it anew"
        ) from error


def holds(file: h5py.File, name: str) -> bool:
    """Whether the file has an entry of this name, be it a link; nothing is followed."""
    return bool(file.id.links.exists(name.encode()))


def dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """A dataset that lies in the file itself.

    Raises:
        BadInput: it is missing, reached by a link, stored elsewhere, or claims more than the file
            holds.
    """
    path = file.filename
    if not holds(file, name):
        raise BadInput(f"{path}: holds no dataset '{name}'")
    if file.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
        raise BadInput(f"{path}: '{name}' is a link to elsewhere; store the data in the file")
    found = file[name]
    if not isinstance(found, h5py.Dataset):
        raise BadInput(f"{path}: '{name}' is not a dataset")
    if found.is_virtual or found.external:
        raise BadInput(f"{path}: '{name}' lies in other files; store the data in the file")
    if found.nbytes > _BEST_COMPRESSION * found.id.get_storage_size():
        raise BadInput(
            f"{path}: '{name}' claims shape {found.shape} but holds almost no data; fetch it again"
        )
    return found
