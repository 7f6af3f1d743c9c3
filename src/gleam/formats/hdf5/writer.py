"""Writing HDF5 on disks that may get full.

The HDF5 library cannot close a file that it cannot write, and takes the whole process with it some
time later. So it is given a file that takes everything, and says afterwards what it lost.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from gleam.files import replacing


@contextmanager
def creating(
    path: Path, make: Callable[..., Any] = h5py.File
) -> Iterator[tuple[Any, Callable[[], None]]]:
    """Write a file that appears under its name when it is whole.

    Args:
        path: of the file.
        make: opens a file, in a `mode`, and gives something that can be closed.

    Yields:
        The empty HDF5 file, and what may be called in between: it raises if the disk is full.

    Raises:
        BadInput, Unwritable: see `gleam.files.replacing`.
    """
    with replacing(path) as temporary, _Draft(temporary, "w+b") as draft:
        file = make(draft, mode="w")
        try:
            yield file, draft.check
        finally:
            file.close()
        draft.check()


class _Draft(io.FileIO):
    """A file whose failure is kept; what is written from then on is lost."""

    failure: OSError | None = None

    def check(self) -> None:
        """Raise what went wrong first, if anything did."""
        if self.failure is not None:
            raise self.failure

    def write(self, data: Any) -> int:
        """All of it: a disk that gets full takes a part first, and HDF5 does not look."""
        left = whole = memoryview(data).cast("B")
        while left and self.failure is None:
            left = left[self._tried(super().write, left) :]
        return len(whole)

    def truncate(self, size: int | None = None) -> int:
        """Make the file so long."""
        return self._tried(super().truncate, size)

    def _tried(self, work: Callable[[Any], int | None], argument: Any) -> int:
        if self.failure is None:
            try:
                return work(argument) or 0
            except OSError as error:
                self.failure = error
        return 0
