"""The bytes of one connection, counted and timed: nobody can send too much, or keep us waiting."""

import socket
import time
from contextlib import suppress
from dataclasses import dataclass

from gleam.errors import BadInput

_LINGER = 10.0  # seconds that a client may be silent when it has its answer
_SCRATCH = 2**16


@dataclass(frozen=True)
class Limits:
    """Limits of what a connection may take.

    Attributes:
        size: bytes that the client may send.
        idle: seconds until its next bytes, or until it takes some of ours.
        seconds: for all of it.
    """

    size: int
    idle: float
    seconds: float


class Gone(Exception):
    """The client went away, or takes nothing: there is nobody to answer."""


class Wire:
    """A connected socket with limits.

    Attributes:
        received, sent: bytes so far.
    """

    def __init__(self, connection: socket.socket, limits: Limits) -> None:
        self.received = self.sent = 0
        self._connection, self._limits = connection, limits
        self._end = time.monotonic() + limits.seconds

    def claim(self, size: int, what: str) -> None:
        """Make sure that the client may send so many more bytes, before memory is taken for them.

        Raises:
            BadInput: it may not.
        """
        left = self._limits.size - self.received
        if size > left:
            raise BadInput(
                f"{what} of {size} bytes is more than the {left} bytes left to this connection; "
                "send less, or start the server with a larger --size"
            )

    def check_time(self) -> None:
        """Make sure that the connection has not taken too long.

        Raises:
            BadInput: it has.
        """
        if time.monotonic() > self._end:
            raise BadInput(
                f"took longer than {self._limits.seconds:g} s; send less, or start the server with "
                "a larger --seconds"
            )

    def fill(self, buffer: memoryview) -> None:
        """Read as many bytes as the buffer has.

        Raises:
            BadInput: a limit is broken, or the client stopped half-way; it can be told so.
            Gone: it is not there.
        """
        self.claim(len(buffer), "a message")
        while len(buffer):
            self.check_time()
            self._wait_at_most(self._limits.idle)
            try:
                count = self._connection.recv_into(buffer)
            except TimeoutError as error:
                raise BadInput(f"nothing came for {self._limits.idle:g} s") from error
            except OSError as error:
                raise Gone(f"the client went away ({error.strerror})") from error
            if count == 0:
                raise BadInput("the stream ended before its close (message 4)")
            self.received += count
            buffer = buffer[count:]

    def take(self, size: int) -> bytes:
        """Read so many bytes; raises as `fill` does."""
        content = bytearray(size)
        self.fill(memoryview(content))
        return bytes(content)

    def skip(self, size: int) -> None:
        """Read so many bytes and forget them; raises as `fill` does."""
        scratch = memoryview(bytearray(min(size, _SCRATCH)))
        while size:
            count = min(size, _SCRATCH)
            self.fill(scratch[:count])
            size -= count

    def send(self, content: bytes) -> None:
        """Write.

        Raises:
            Gone: the client is not there, or took nothing for too long.
        """
        rest = memoryview(content)
        while len(rest):
            self._wait_at_most(self._limits.idle)
            try:
                count = self._connection.send(rest)
            except TimeoutError as error:
                raise Gone("the client takes nothing") from error
            except OSError as error:
                raise Gone(f"the client went away ({error.strerror})") from error
            self.sent += count
            rest = rest[count:]

    def drain(self) -> None:
        """Say that no more comes, and let the client finish: what it still sends is forgotten.

        Were the socket closed at once, the client would lose what it has not read yet.
        """
        came, left = 1, self._limits.size
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
            while came and left > 0:
                self._wait_at_most(_LINGER)
                came = len(self._connection.recv(_SCRATCH))
                left -= came

    def _wait_at_most(self, seconds: float) -> None:
        left = self._end - time.monotonic()
        self._connection.settimeout(max(min(seconds, left), 0.001))
