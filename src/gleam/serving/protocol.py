"""The messages of the MRD streaming protocol, which Gadgetron, FIRE and OpenRecon clients speak.

Sources: the ISMRMRD header files `ismrmrd.h` and `waveform.h`, https://github.com/ismrmrd/ismrmrd;
"MRD Streaming Format" of https://github.com/kspaceKelvin/python-ismrmrd-server.

Every message is a number, uint16, and what follows from it; everything is little-endian.

| message | content |
| --- | --- |
| 1 configuration file | 1024 bytes, the name of a file |
| 2 configuration, 3 header, 5 text | length, uint32; so many bytes of text |
| 4 close | none: the sender is done |
| 1008 acquisition | head, 340 bytes; trajectory, float32; (coil, sample), complex64 |
| 1022 image | head, 198 bytes; length, uint64; attributes, XML; (channel, z, y, x) |
| 1026 waveform | head, 40 bytes; (channel, sample), uint32 |

A client sends a configuration, which is not heeded here, the header, then acquisitions with
waveforms and texts in between, and closes; images or texts come back, and then a close as well.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from gleam.errors import BadInput
from gleam.formats.mrd.head import ACQUISITION_HEADER
from gleam.formats.mrd.header import Header, parse
from gleam.formats.scan import Array
from gleam.serving.wire import Wire

CONFIGURATION_FILE, CONFIGURATION, HEADER, CLOSE, TEXT = 1, 2, 3, 4, 5
ACQUISITION, IMAGE, WAVEFORM = 1008, 1022, 1026

_FILE_NAME = 1024
_LARGEST_HEADER = 2**22  # bytes; a scanner's has some 100 kB
_WAVEFORM_HEAD = np.dtype(
    [
        ("version", "<u2"),
        ("flags", "<u8"),
        ("measurement_uid", "<u4"),
        ("scan_counter", "<u4"),
        ("time_stamp", "<u4"),
        ("number_of_samples", "<u2"),
        ("channels", "<u2"),
        ("sample_time_us", "<f4"),
        ("waveform_id", "<u2"),
    ],
    align=True,
)
_COMPRESSED = sum(1 << (number - 1) for number in (53, 54, 55, 56))  # flags of Gadgetron's own


@dataclass
class Stream:
    """Data that came from a client so far.

    Attributes:
        header: of an encoding, by its number; see `ismrmrd_header.parse`.
        heads: of the acquisitions, each an `ACQUISITION_HEADER`.
        data: of the acquisitions, (coil, sample) complex64.
        messages: how many of each kind came.
        closed: whether the client is done.
    """

    header: Callable[[int], Header] | None = None
    heads: list[bytes] = field(default_factory=list)
    data: list[Array] = field(default_factory=list)
    messages: Counter[str] = field(default_factory=Counter)
    closed: bool = False


def receive(wire: Wire, stream: Stream) -> None:
    """Read messages into `stream` until the client closes it.

    Raises:
        BadInput: a broken limit, a message that no reconstruction can use, or a header that says
            as much.
        Gone: there is no client any more.
    """
    while not stream.closed:
        message = _number(wire, 2)
        if message == CLOSE:
            stream.closed = True
        elif message == CONFIGURATION_FILE:
            wire.skip(_FILE_NAME)
        elif message in (CONFIGURATION, TEXT):
            wire.skip(_claimed(wire, _number(wire, 4), "a text"))
        elif message == HEADER:
            _receive_header(wire, stream)
        elif message == ACQUISITION:
            _receive_acquisition(wire, stream)
        elif message == WAVEFORM:
            head = np.frombuffer(wire.take(_WAVEFORM_HEAD.itemsize), _WAVEFORM_HEAD)[0]
            numbers = int(head["channels"]) * int(head["number_of_samples"])
            wire.skip(_claimed(wire, 4 * numbers, "a waveform"))
            stream.messages["waveform"] += 1
        elif message == IMAGE:
            raise BadInput("images (message 1022) cannot be reconstructed; send raw data")
        else:
            raise BadInput(f"message {message} is none that this server knows; send raw data")


def send_image(wire: Wire, image: Any) -> None:
    """Send an `ismrmrd.Image`."""
    wire.send(IMAGE.to_bytes(2, "little") + image.to_bytes())


def send_text(wire: Wire, text: str) -> None:
    """Send a line of text, ended by zero, as scanners expect it.

    They tell the kind of a text by its first letters: ERR, WRN or DBG.
    """
    content = text.encode() + b"\0"
    wire.send(TEXT.to_bytes(2, "little") + len(content).to_bytes(4, "little") + content)


def send_close(wire: Wire) -> None:
    """Say that nothing more will come."""
    wire.send(CLOSE.to_bytes(2, "little"))


def _receive_header(wire: Wire, stream: Stream) -> None:
    length = _number(wire, 4)
    if length > _LARGEST_HEADER:
        raise BadInput(f"a header (message 3) of {length} bytes is too long")
    xml = wire.take(_claimed(wire, length, "a header"))
    if stream.header is not None:
        raise BadInput("a second header (message 3) came; give each scan a connection")
    xml = xml.rstrip(b"\0")
    parse(xml)  # a scan that cannot be used is refused before it comes
    stream.header = partial(parse, xml)


def _receive_acquisition(wire: Wire, stream: Stream) -> None:
    """Read a line; its trajectory is not heeded, as in files."""
    if stream.header is None:
        raise BadInput("an acquisition (message 1008) came before the header (message 3)")
    raw = wire.take(ACQUISITION_HEADER.itemsize)
    head = np.frombuffer(raw, ACQUISITION_HEADER)[0]
    if int(head["flags"]) & _COMPRESSED:
        raise BadInput("an acquisition is compressed; have the client send it as it is")
    coils, samples = int(head["active_channels"]), int(head["number_of_samples"])
    trajectory = 4 * int(head["trajectory_dimensions"]) * samples
    _claimed(wire, trajectory + 8 * coils * samples, "an acquisition")
    wire.skip(trajectory)
    data = np.empty(8 * coils * samples, np.uint8)
    wire.fill(data.data)
    stream.heads.append(raw)
    stream.data.append(data.view(np.complex64).reshape(coils, samples))
    stream.messages["acquisition"] += 1


def _number(wire: Wire, size: int) -> int:
    return int.from_bytes(wire.take(size), "little")


def _claimed(wire: Wire, size: int, what: str) -> int:
    wire.claim(size, what)
    return size
