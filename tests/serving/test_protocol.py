"""Messages as the `ismrmrd` package writes them; sizes that are lies."""

import io
import socket
import struct
import threading
import tracemalloc

import ismrmrd
import numpy as np
import pytest
from client import small_scanner, small_stream, stream
from ismrmrd.serialization import ConfigFile, ProtocolDeserializer

from gleam.errors import BadInput
from gleam.serving.protocol import Stream, receive, send_close, send_image, send_text
from gleam.serving.wire import Limits, Wire

XML = ismrmrd.xsd.ToXML(small_scanner().header()).encode()
HEADER = struct.pack("<HI", 3, len(XML)) + XML


def received(content: bytes, size: int = 10**8) -> Stream:
    """What a server makes of these bytes, at the end of which the client waits."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(target=theirs.sendall, args=(content,))
        sender.start()
        got = Stream()
        try:
            receive(Wire(ours, Limits(size, 5.0, 20.0)), got)
        finally:
            ours.close()
            sender.join()
    return got


def test_scan_comes_as_it_was_sent() -> None:
    scanner = small_scanner()
    got = received(small_stream(scanner))
    assert got.closed
    assert got.header is not None
    assert got.header(0).encoded == (32, 24, 1)
    assert got.messages == {"acquisition": len(scanner.acquisitions)}
    for line, head, data in zip(scanner.acquisitions, got.heads, got.data, strict=True):
        assert head == bytes(line.getHead())
        np.testing.assert_array_equal(data, line.data)


def test_what_is_not_needed_is_passed_over() -> None:
    line = small_scanner().acquisitions[-1]
    with_trajectory = ismrmrd.Acquisition.from_array(line.data, np.ones((32, 2), np.float32))
    waveform = ismrmrd.Waveform.from_array(np.ones((5, 9), np.uint32))
    name = ConfigFile("x" * 1023)
    got = received(stream(XML + b"\0", name, "a text", waveform, with_trajectory, "", line))
    assert got.closed
    assert got.messages == {"acquisition": 2, "waveform": 1}
    np.testing.assert_array_equal(got.data[0], line.data)
    np.testing.assert_array_equal(got.data[1], line.data)


def acquisition(**fields: int) -> bytes:
    head = ismrmrd.AcquisitionHeader()
    for name, value in fields.items():
        setattr(head, name, value)
    return HEADER + struct.pack("<H", 1008) + bytes(head)


def waveform(samples: int, channels: int) -> bytes:
    head = ismrmrd.waveform.WaveformHeader(number_of_samples=samples, channels=channels)
    return struct.pack("<H", 1026) + bytes(head)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (struct.pack("<HI", 2, 2**32 - 1), "a text of 4294967295 bytes is more"),
        (struct.pack("<HI", 5, 2**32 - 1), "a text of 4294967295 bytes is more"),
        (struct.pack("<HI", 3, 2**32 - 1), "4294967295 bytes is too long"),
        (struct.pack("<HI", 3, 2**22), "a header of 4194304 bytes is more"),
        (acquisition(number_of_samples=2**16 - 1, active_channels=2**16 - 1), "an acquisition of"),
        (
            acquisition(number_of_samples=2**16 - 1, trajectory_dimensions=2**16 - 1),
            "an acquisition of 17179344900 bytes is more",
        ),
        (waveform(2**16 - 1, 2**16 - 1), "a waveform of 17179344900 bytes is more"),
        (acquisition(flags=1 << 53), "compressed"),
        (struct.pack("<H", 1008), "before the header"),
        (HEADER + HEADER, "a second header"),
        (struct.pack("<HI", 3, 5) + b"<a><b", "not well-formed XML"),
        (struct.pack("<H", 1022), "send raw data"),
        (struct.pack("<H", 6), "message 6 is none"),
    ],
)
def test_lies_are_found_at_once_and_cost_no_memory(content: bytes, message: str) -> None:
    tracemalloc.start()
    with pytest.raises(BadInput, match=message):
        received(content, size=2**21)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21


def test_empty_lines_count_and_take_little() -> None:
    got = received(acquisition() + acquisition()[len(HEADER) :] + struct.pack("<H", 4))
    assert [data.shape for data in got.data] == [(0, 0), (0, 0)]


def test_answers_are_read_by_the_ismrmrd_package() -> None:
    image = ismrmrd.Image.from_array(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    image.meta = {"ImageComments": "a < b & c"}
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = Wire(ours, Limits(0, 5.0, 5.0))
        send_image(wire, image)
        send_text(wire, "trajectory 'radial' ⌊N/2⌋")
        send_close(wire)
        content = theirs.recv(10**5)
    got, text = ProtocolDeserializer(io.BytesIO(content)).deserialize()
    assert got == image
    assert text == "trajectory 'radial' ⌊N/2⌋\0"
