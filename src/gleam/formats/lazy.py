"""K-space that stays in its file: read, brought to complex64 and checked a slice at a time.

Or a coil of a slice, so that a volume larger than the memory can be gone through.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gleam.errors import BadInput
from gleam.formats.scan import LARGEST, Array, Place, Slices, slice_and_coils, usable

Load = Callable[[Path, int, slice], NDArray[np.complexfloating]]

AT_ONCE = 2**24  # bytes of coils, or one: scanners' files are gone through for every such part


@dataclass(frozen=True)
class Stored:
    """K-space (slice, coil, frame, *space) of a file; can be pickled, holds no open file.

    Attributes:
        path: the file.
        shape: (slice, coil, frame, *space).
        load: (path, slice index, which coils) → (coil, frame, *space) complex; a module-level
            function, or a `partial` of one.
    """

    path: Path
    shape: tuple[int, ...]
    load: Load

    def __getitem__(self, place: Place, /) -> Array:
        """Data of a slice, an array of the caller's own; see `Slices`."""
        index, coils = slice_and_coils(place, self.shape[0])
        with np.errstate(over="ignore", invalid="ignore"):  # complex128 may overflow: seen below
            data = np.array(self.load(self.path, index, coils), np.complex64, order="C")
        if not usable(data):
            raise BadInput(
                f"{self.path}: slice {index} holds k-space values that are not finite numbers, or "
                f"beyond {LARGEST:g}; export the file again"
            )
        return data

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """All of it; see `whole`."""
        return whole(self, dtype, copy)


def whole(kspace: Slices, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
    """All slices, read into memory: what NumPy's functions are given where they are given k-space.

    Args:
        kspace: in a file.
        dtype: of the numbers; complex64 by default.
        copy: as NumPy's `__array__` has it; False cannot be.

    Raises:
        BadInput: see `Slices`.
        ValueError: it is to be no copy.
    """
    if copy is False:
        raise ValueError("k-space is in its file, so an array of it is a copy")
    array = np.empty(kspace.shape, np.complex64 if dtype is None else dtype)
    for index in range(len(array)):
        array[index] = kspace[index]
    return array


def each_coil(kspace: Slices, index: int) -> Iterator[Array]:
    """(frame, *space) of every coil of a slice, of which no more than `AT_ONCE` is in memory."""
    _, count, *rest = kspace.shape
    step = max(1, AT_ONCE // (8 * math.prod(rest)))
    for first in range(0, count, step):
        yield from kspace[index, first : first + step]
