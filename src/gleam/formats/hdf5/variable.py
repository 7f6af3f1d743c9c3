"""Elements of variable length in HDF5 files of unknown origin: strings, and lines of raw data.

HDF5 reads them with trust: it takes memory for the length that an element claims, whatever the
file's size, and walks a damaged heap without end. So only the place of a dataset is asked from
HDF5; the rest is read here, forwards and within the file.

Source: the HDF5 file format specification, version 3.0, https://docs.hdfgroup.org/hdf5/v1_14. An
element is its length, and an object in a global heap collection:

    collection   "GCOL", 1, 3 bytes, size in 8 bytes (of all of it), then objects
    object       index in 2 bytes (0 ends the collection), 6 bytes, size in 8 bytes, then its
                 content, which ends on a multiple of 8
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput

_INDEX, _SIZE = slice(0, 2), slice(8, 16)  # in the head of an object
PLACE = np.dtype([("length", "<u4"), ("collection", "<u8"), ("index", "<u4")])


def text(found: h5py.Dataset) -> bytes:
    """A dataset's only string.

    Raises:
        BadInput: it is something else, or damaged.
    """
    path, kind = Path(found.file.filename), h5py.check_string_dtype(found.dtype)
    if found.size != 1 or kind is None:
        raise BadInput(f"{path}: '{found.name[1:]}' is not one string")
    if kind.length is not None:
        return bytes(elements(found, kind.length)).rstrip(b"\0")
    places = elements(found, PLACE.itemsize).view(PLACE)[:, 0]
    return next(contents(path, places, 1)).rstrip(b"\0")


def elements(found: h5py.Dataset, size: int) -> NDArray[np.uint8]:
    """(element, byte): a dataset's elements as they lie in the file; what was never written is 0.

    Args:
        found: of no more elements than there is memory for.
        size: of an element in bytes; what is of variable length in it takes that of a `PLACE`.

    Raises:
        BadInput: they are packed, of another size, or lie beyond the end of the file.
    """
    path, name, whole = found.file.filename, found.name[1:], found.file.id.get_create_plist()
    if (
        found.id.get_create_plist().get_nfilters()
        or whole.get_sizes() != (8, 8)
        or whole.get_userblock()
    ):
        raise BadInput(f"{path}: '{name}' is packed; run h5repack -f NONE -u none on the file")
    pieces: list[tuple[int, int]] = []  # the first element, and where it lies
    if found.chunks:
        found.id.chunk_iter(lambda chunk: pieces.append((chunk.chunk_offset[0], chunk.byte_offset)))
    elif found.id.get_offset() is not None:
        pieces = [(0, found.id.get_offset())]
    together = found.chunks[0] if found.chunks else found.size
    if not pieces or found.id.get_storage_size() != len(pieces) * together * size:
        raise BadInput(f"{path}: '{name}' does not hold what it claims; get the file anew")

    content = np.zeros((found.size, size), np.uint8)
    with open(path, "rb", buffering=0) as file:
        for first, place in pieces:
            part = content[first : first + together]
            part.reshape(-1)[:] = np.frombuffer(_read(file, place, part.nbytes), np.uint8)
    return content


def contents(path: Path, places: NDArray[Any], itemsize: int) -> Iterator[bytes]:
    """The content of each element.

    Args:
        path: the file.
        places: (element,) of dtype `PLACE`.
        itemsize: bytes of one item; an element has `length` of them.

    Raises:
        BadInput: what an element claims is not there.
    """
    objects: dict[int, dict[int, tuple[int, int]]] = {}  # of each collection, by index
    left = os.path.getsize(path) // 16  # more objects there cannot be
    with open(path, "rb", buffering=0) as file:
        for length, address, index in places.tolist():
            if length == 0:
                yield b""
                continue
            if address not in objects:
                objects[address] = _objects(file, address, left)
                left -= len(objects[address])
            place, size = objects[address].get(index, (0, 0))
            if size != length * itemsize:
                raise BadInput(f"{path}: claims data that are not there; get the file anew")
            yield _read(file, place, size)


def _objects(file: BinaryIO, address: int, most: int) -> dict[int, tuple[int, int]]:
    """Addresses of the objects of a collection, and their sizes."""
    head = _read(file, address, 16)
    place, end = address + 16, address + int.from_bytes(head[8:], "little")
    found: dict[int, tuple[int, int]] = {}
    while head[:5] == b"GCOL\1" and place + 16 <= end and len(found) < most:
        head_of_one = _read(file, place, 16)
        index, size = (int.from_bytes(head_of_one[part], "little") for part in (_INDEX, _SIZE))
        if index == 0 or index in found:
            break
        found[index] = (place + 16, size)
        place += 16 + -(-size // 8) * 8
    return found


def _read(file: BinaryIO, place: int, size: int) -> bytes:
    """Bytes that are in the file, or an error before memory is taken for them."""
    if place + size > os.fstat(file.fileno()).st_size:
        raise BadInput(f"{file.name}: claims data beyond its end; get the file anew")
    return os.pread(file.fileno(), size, place)
