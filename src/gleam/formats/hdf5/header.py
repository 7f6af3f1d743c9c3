"""Object headers of HDF5 files: what HDF5 would read on opening an object, read before it does.

HDF5 walks a damaged heap without end (see `hdf5_variable`), which opening a virtual dataset, or
reading a string of variable length, makes it do. Only headers of version 1 are read here, which is
what HDF5 writes unless somebody asks for something else.

Source: the HDF5 file format specification, version 3.0, https://docs.hdfgroup.org/hdf5/v1_14.

    header     1, 7 bytes, size of its messages in 4 bytes, 4 bytes, then the messages
    message    type in 2 bytes, size in 2, 4 more, then its content
    type 8     layout of a dataset: version (3 or more), then 3 for a virtual one
    type 12    attribute, see `hdf5_attribute`
    type 16    more messages elsewhere: where, and their size, in 8 bytes each
"""

import struct
from collections.abc import Iterator

import h5py

from gleam.errors import BadInput

ATTRIBUTE, _LAYOUT, _ELSEWHERE = 12, 8, 16
_VIRTUAL = 3
_LARGEST, _MOST = 2**16, 100  # bytes of a block of messages, and such blocks


def messages(file: h5py.File, address: int) -> Iterator[tuple[int, bytes]]:
    """Type and content of each message of an object; none where the header is of another version.

    Args:
        file: the file.
        address: of the object, as HDF5 counts.

    Raises:
        BadInput: the header is damaged.
    """
    base = file.userblock_size
    try:
        with open(file.filename, "rb") as raw:
            raw.seek(base + address)
            version, size = struct.unpack("<B7xI4x", raw.read(16))
            blocks = [(address + 16, size)] if version == 1 else []
            for place, size in blocks:
                raw.seek(base + place)
                block, start = raw.read(min(size, _LARGEST)), 0
                while start + 8 <= len(block):
                    kind, size = struct.unpack_from("<HH", block, start)
                    content, start = block[start + 8 :][:size], start + 8 + size
                    if kind == _ELSEWHERE and len(blocks) < _MOST:
                        blocks.append(struct.unpack_from("<QQ", content))
                    yield kind, content
    except (struct.error, OverflowError) as error:
        raise BadInput(f"{file.filename}: its HDF5 headers are damaged; get it anew") from error


def is_virtual(file: h5py.File, address: int) -> bool:
    """Whether an object is a dataset that lies in other files.

    Raises:
        BadInput: its header is damaged.
    """
    return any(
        kind == _LAYOUT and content[:1] > b"\2" and content[1:2] == bytes([_VIRTUAL])
        for kind, content in messages(file, address)
    )
