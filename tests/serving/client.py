"""A client made of the `ismrmrd` package alone, and a server to try it on."""

import io
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ismrmrd
import numpy as np
from ismrmrd.serialization import ConfigText, ProtocolDeserializer, ProtocolSerializer
from scanner import OBLIQUE, Scanner

POINT = (2, -5)  # of the small scan, in voxels from the centre of its slices


def small_scanner(noise: bool = True) -> Scanner:
    """Two oblique slices with a bright point in each, sampled in full by three coils."""
    scanner = Scanner(directions=OBLIQUE)
    scanner.points = [(scanner.voxel(*POINT), 8.0), (scanner.voxel(-4, 3), 2.0)]
    scanner.points += [(scanner.voxel(*POINT, distance=5.0), 8.0)]
    if noise:
        rng = np.random.default_rng(0)
        samples = 0.01 * (rng.normal(size=(3, 96)) + 1j * rng.normal(size=(3, 96)))
        scanner.acquire(0, data=samples, flags=(ismrmrd.ACQ_IS_NOISE_MEASUREMENT,))
    for index in range(2):
        for line in range(24):
            scanner.acquire(line, distance=5.0 * index, slice=index)
    return scanner


def stream(header: Any, *messages: Any, close: bool = True) -> bytes:
    """A whole stream as bytes; `header` is XML in bytes, which goes out as it is, or None."""
    content = io.BytesIO()
    out = ProtocolSerializer(content)
    out.serialize(ConfigText("default"))
    if header is not None:
        content.write((3).to_bytes(2, "little") + len(header).to_bytes(4, "little") + header)
    for message in messages:
        out.serialize(message)
    if close:
        out.close()
    return content.getvalue()


def small_stream(scanner: Scanner | None = None, old: str = "", new: str = "") -> bytes:
    """A scanner's stream, with other words in its XML header."""
    scanner = small_scanner() if scanner is None else scanner
    xml = ismrmrd.xsd.ToXML(scanner.header())
    assert old in xml
    return stream((xml.replace(old, new) if old else xml).encode(), *scanner.acquisitions)


def stream_of(path: Path) -> bytes:
    """The stream of a file's acquisitions."""
    with ismrmrd.Dataset(path, create_if_needed=False) as file:
        number = file.number_of_acquisitions()
        lines = [file.read_acquisition(index) for index in range(number)]
        return stream(file.read_xml_header(), *lines)


def answer_on(connection: socket.socket) -> list[Any]:
    """Images and texts, up to a close, which must come."""
    with connection.makefile("rb") as file:
        messages = list(ProtocolDeserializer(file).deserialize())
        assert file.read() == b""  # a close is the last of it
    return messages


def same(images: Iterable[Any], others: Iterable[Any]) -> bool:
    return all(a == b for a, b in zip(images, others, strict=True))


class Server:
    """`gleam serve` in a process of its own, or another script that serves."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._log = folder / "log"
        self.connections: list[None] = []
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, *arguments], stdout=log, stderr=subprocess.STDOUT
            )
        while (listening := re.search(r"listening on .*:(\d+)\n", self._log.read_text())) is None:
            assert self.process.poll() is None, self._log.read_text()
            time.sleep(0.01)
        self.port = int(listening[1])

    def connect(self) -> socket.socket:
        self.connections.append(None)
        return socket.create_connection(("127.0.0.1", self.port), timeout=120)

    def exchange(self, content: bytes) -> list[Any]:
        """Send a stream and take the answer."""
        with self.connect() as connection:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            return answer_on(connection)

    def lines(self) -> list[str]:
        """Of the log, once there is one for each connection; not the first, nor that it stopped."""
        deadline = time.monotonic() + 60
        while len(lines := self._of_connections()) < len(self.connections):
            assert time.monotonic() < deadline, lines
            time.sleep(0.01)
        assert len(lines) == len(self.connections), lines
        return lines

    def _of_connections(self) -> list[str]:
        _listening, *lines = self._log.read_text().partition(" listening on ")[2].splitlines()
        return [line for line in lines if line != "gleam: stopped"]

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self, how: signal.Signals) -> int:
        """The exit code."""
        self.process.send_signal(how)
        return self.process.wait(timeout=60)
