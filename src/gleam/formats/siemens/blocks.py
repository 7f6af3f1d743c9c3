"""The measurements in a Siemens twix file (.dat): what their headers say, where their lines lie.

    VB            one measurement
    VD, VE, XA    a table of up to 64 places, then a measurement at each

A measurement is buffers of text, then blocks: lines, synchronous data, an end mark. In VB, a line
is a head (128 bytes) and samples for each channel; later, a head (192 bytes), then 32 bytes and
samples for each channel. Samples are complex64.

Source: twixtools (the extra `twix`), https://github.com/pehses/twixtools: the layouts of the heads
are its own. Its reader believes every length that a file claims, and so can take any memory, or
never end; here lengths are checked against the file. Names of patients are stepped over. Where the
file ends before the end mark, as it does when a scan is stopped, what lies before is read.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.scan import Array
from gleam.words import not_installed

_ACQEND, _SYNCDATA = 1 << 0, 1 << 5
_NAME = 48  # bytes that a buffer's name takes at most


@dataclass(frozen=True)
class Measurement:
    """One measurement.

    Attributes:
        buffers: the text of its header, by name.
        heads: (line,) with the fields of twixtools' `Scan_header` or `VB17_header`.
        starts: (line,) where the first channel begins in the file.
        gap: bytes before each channel's samples.
        cut: whether the file ends in the middle of a block.
    """

    buffers: dict[str, str]
    heads: NDArray[Any]
    starts: NDArray[np.int64]
    gap: int
    cut: bool


class _Broken(Exception):
    """Error: what was read is not the format."""


def measurements(path: Path) -> list[Measurement]:
    """Every measurement of the file.

    Raises:
        BadInput: twixtools is not installed; the file is cut off, damaged or another format.
    """
    try:
        layouts = import_module("twixtools.mdh_def")
        table = import_module("twixtools.hdr_def").MultiRaidFileHeader
    except ImportError as error:
        raise BadInput(f"{path}: reading twix {not_installed('twixtools', 'twix')}") from error
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            first, count = struct.unpack("<II", file.read(8))
            if first >= 10000 or count > 64:  # VB: the length of the header
                return [_measurement(file, 0, size, np.dtype(layouts.VB17_header), 0, 128)]
            if count == 0:
                raise _Broken
            file.seek(0)
            (entries,) = np.frombuffer(file.read(table.itemsize), table)["entry"]
            places = [(int(e["off_"]), int(e["len_"])) for e in entries[:count]]
            head = np.dtype(layouts.Scan_header)
            return [
                _measurement(file, start, start + length if length else size, head, 192, 32)
                for start, length in places
            ]
    except (_Broken, OSError, OverflowError, ValueError, struct.error) as error:
        raise BadInput(
            f"{path}: not readable as Siemens twix (cut off, damaged or another format); "
            "export it again"
        ) from error


def load(
    wanted: NDArray[np.intp],
    path: Path,
    starts: NDArray[np.int64],
    shapes: NDArray[np.uint16],
    gap: int,
) -> Iterator[Array]:
    """The samples (coil, samples) of some lines, one after the other.

    Args:
        wanted: which lines.
        path: the file.
        starts, gap: see `Measurement`.
        shapes: (line, 2); channels and samples of each.

    Raises:
        BadInput: the file is not what it was.
    """
    with path.open("rb") as file:
        for index in wanted:
            channels, samples = (int(n) for n in shapes[index])
            channel = np.dtype([("head", f"V{gap}"), ("samples", "<c8", (samples,))])
            file.seek(int(starts[index]))
            data = np.fromfile(file, channel, channels)
            if len(data) < channels:
                raise BadInput(f"{path}: became shorter while it was read; read it again")
            yield data["samples"]


def _measurement(
    file: BinaryIO, start: int, end: int, head: np.dtype[Any], lead: int, gap: int
) -> Measurement:
    """The measurement from `start` to `end`; its lines take `lead` bytes before the channels."""
    size = file.seek(0, 2)
    file.seek(start)
    (length,) = struct.unpack("<I", file.read(4))
    end = min(end, size)
    if start + length > end:
        raise _Broken
    file.seek(start)
    buffers = _buffers(file.read(length))
    start += length
    heads: list[bytes] = []
    starts: list[int] = []
    while start + head.itemsize <= end:
        file.seek(start)
        read = file.read(head.itemsize)
        (one,) = np.frombuffer(read, head)
        flags = int(one["EvalInfoMask"])
        if flags & _ACQEND:
            break
        if flags & _SYNCDATA:
            taken = int(one["FlagsAndDMALength"]) % 2**25
        else:
            taken = lead + int(one["UsedChannels"]) * (gap + 8 * int(one["SamplesInScan"]))
            if start + taken <= end:
                heads.append(read)
                starts.append(start + lead)
        start += taken
        if taken < head.itemsize:
            raise _Broken
    return Measurement(
        buffers,
        np.frombuffer(b"".join(heads), head),
        np.array(starts, np.int64),
        gap,
        cut=start > end,
    )


def _buffers(header: bytes) -> dict[str, str]:
    """Name and text of each buffer."""
    (count,) = struct.unpack_from("<I", header, 4)
    found, start = {}, 8
    for _ in range(count):
        stop = header.index(b"\0", start, start + _NAME)
        name = header[start:stop].decode("latin-1")
        (length,) = struct.unpack_from("<I", header, stop + 1)
        start = stop + 5 + length
        if start > len(header):
            raise _Broken
        found[name] = header[stop + 5 : start].decode("latin-1")
    return found
