"""The complex arrays of MATLAB 5 files (`save -v6` and `-v7`), and nothing else in them.

Source: MathWorks, "MAT-File Format". A header of 128 bytes, then an element for each variable: a
type, a size, and a matrix, packed by zlib or not, whose parts are elements again: flags,
dimensions, name, real part, imaginary part. The first dimension runs fastest.

Cells, structures, sparse arrays, objects and function handles are stepped over, never opened, and
no size is believed that the file cannot hold. That is why this is not `scipy.io`: it takes memory
first, and does not say which variables are complex.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.files import BEST_COMPRESSION

_MATRIX, _PACKED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"}
_NUMERIC = range(6, 16)  # classes: double, single, integers
_COMPLEX = 0x800
_HEAD = 4096  # bytes: more than the flags, the dimensions and the name ever take
_LARGEST = 2**31  # bytes of a variable, by the format


class _Broken(Exception):
    """Error: what was read is not the format."""


@dataclass(frozen=True)
class _Element:
    """A variable's place in the file: bytes after its type and size, and whether it is packed."""

    start: int
    size: int
    packed: bool
    order: str  # of bytes, < or >


def arrays(path: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every complex array.

    Raises:
        BadInput: the file is cut off, damaged, or of another format.
    """
    with _opened(path) as file:
        return {name: shape for name, (shape, _) in _arrays(file).items()}


def load(path: Path, name: str) -> NDArray[np.complex64]:
    """One of the arrays, whole; what complex64 cannot hold becomes infinite.

    Raises:
        BadInput: as `arrays`.
    """
    with _opened(path) as file:
        shape, element = _arrays(file)[name]
        parts = list(_parts(_body(file, element, _LARGEST), element.order))
        if len(parts) < 5:
            raise _Broken
        real, imaginary = (_numbers(*part, shape, element.order) for part in parts[3:5])
        array = np.empty(shape, np.complex64, order="F")
        with np.errstate(over="ignore", invalid="ignore"):
            array.real, array.imag = real, imaginary
    return array


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except (_Broken, OSError, struct.error, zlib.error) as error:
        raise BadInput(
            f"{path}: not readable as MATLAB 5 or 7.3 (cut off, damaged or another format); "
            "save it again with -v7 or -v7.3"
        ) from error


def _arrays(file: BinaryIO) -> dict[str, tuple[tuple[int, ...], _Element]]:
    found = {}
    for element in _elements(file):
        parts = _parts(_body(file, element, _HEAD), element.order)
        _, flags = next(parts, (0, b""))
        (word,) = struct.unpack_from(f"{element.order}I", flags)
        if word & 0xFF not in _NUMERIC or not word & _COMPLEX:
            continue
        (_, sizes), (_, name) = next(parts, (0, b"")), next(parts, (0, b""))
        shape = struct.unpack(f"{element.order}{len(sizes) // 4}i", sizes)
        if not 2 <= len(shape) <= 32 or min(shape) < 0:
            raise _Broken
        found[bytes(name).decode("latin-1")] = shape, element
    return found


def _elements(file: BinaryIO) -> Iterator[_Element]:
    """The variables of the file, whatever they are."""
    end = file.seek(0, 2)
    file.seek(124)
    order = {b"\0\1IM": "<", b"\1\0MI": ">"}.get(file.read(4))
    if order is None:
        raise _Broken
    start = 128
    while start < end:
        file.seek(start)
        kind, size = struct.unpack(f"{order}II", file.read(8))
        start += 8
        if kind not in (_MATRIX, _PACKED) or start + size > end:
            raise _Broken
        yield _Element(start, size, kind == _PACKED, order)
        start += size


def _body(file: BinaryIO, element: _Element, most: int) -> memoryview:
    """The parts of a variable, or the first `most` bytes of them."""
    file.seek(element.start)
    stored = file.read(min(element.size, most))
    if not element.packed:
        return memoryview(stored)
    inflate = zlib.decompressobj()
    kind, size = struct.unpack(f"{element.order}II", inflate.decompress(stored, 8))
    if kind != _MATRIX or size > min(_LARGEST, BEST_COMPRESSION * element.size):
        raise _Broken
    # Asking for one byte more reaches the checksum behind the last.
    return memoryview(inflate.decompress(inflate.unconsumed_tail, min(size, most) + 1))


def _parts(body: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Type and content of each part; up to 4 bytes of content may lie in the tag itself."""
    start = 0
    while start + 8 <= len(body):
        kind, size = struct.unpack_from(f"{order}II", body, start)
        if kind >> 16:
            kind, size, content, start = kind & 0xFFFF, kind >> 16, start + 4, start + 8
        else:
            content, start = start + 8, start + 8 + size + -size % 8
        if content + size > len(body):
            raise _Broken
        yield kind, body[content : content + size]


def _numbers(
    kind: int, content: memoryview, shape: tuple[int, ...], order: str
) -> NDArray[np.generic]:
    """Numbers may be stored in a smaller type than their class."""
    if kind not in _NUMBERS:
        raise _Broken
    dtype = np.dtype(order + _NUMBERS[kind])
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise _Broken
    return np.frombuffer(content, dtype).reshape(shape, order="F")
