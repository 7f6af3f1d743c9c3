"""Example files that stay open between two reads: to open one takes longer than to read of it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import h5py

from gleam.formats.hdf5.file import dataset, holds, opened, readable

OPEN = 64  # files, at most
_Identity = tuple[int, ...]
_keepers: list[bool] = []  # an entry for each `kept_open` that has not ended


@contextmanager
def kept_open() -> Iterator[None]:
    """Keep example files open meanwhile.

    HDF5 lets nobody write to a file meanwhile. One that is replaced, as `write` does, is read anew.
    """
    _keepers.append(True)
    try:
        yield
    finally:
        _keepers.pop()
        if not _keepers:
            _opened.cache_clear()


@contextmanager
def arrays(path: Path) -> Iterator[Callable[[str], h5py.Dataset]]:
    """The arrays of a file by name, for one read.

    Raises:
        BadInput: it cannot be read.
    """
    if _keepers:
        with readable(path):
            yield _opened(path, _identity(path)).arrays.__getitem__
    else:
        with opened(path) as file:
            yield partial(dataset, file)


@dataclass(frozen=True)
class _Open:
    """A file that stays open, and its arrays."""

    file: h5py.File
    arrays: Mapping[str, h5py.Dataset]


@lru_cache(OPEN)
def _opened(path: Path, _: _Identity) -> _Open:
    file = h5py.File(path, "r", rdcc_nbytes=0)  # nothing is read twice
    names = [name for name in ("kspace", "maps", "target") if holds(file, name)]
    return _Open(file, {name: dataset(file, name) for name in names})


def _identity(path: Path) -> _Identity:
    """Another one where a file was replaced or changed."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
