import socket
import time
from collections.abc import Iterator

import pytest

from gleam.errors import BadInput
from gleam.serving.wire import Gone, Limits, Wire


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_bytes_arrive_and_are_counted(ends) -> None:
    wire = Wire(ends[0], Limits(10**6, 5.0, 5.0))
    ends[1].sendall(b"abc" + bytes(70_000) + b"def")
    assert wire.take(3) == b"abc"
    wire.skip(70_000)
    assert wire.take(3) == b"def"
    wire.send(b"ghi")
    assert ends[1].recv(9) == b"ghi"
    assert (wire.received, wire.sent) == (70_006, 3)


def test_more_than_may_be_sent_is_refused_before_it_comes(ends) -> None:
    wire = Wire(ends[0], Limits(10, 5.0, 5.0))
    ends[1].sendall(bytes(4))
    wire.take(4)
    wire.claim(6, "a text")
    with pytest.raises(BadInput, match="a text of 7 bytes is more than the 6 bytes left"):
        wire.claim(7, "a text")
    with pytest.raises(BadInput, match="7 bytes"):
        wire.take(7)
    with pytest.raises(BadInput, match="left"):
        wire.skip(2**60)


def test_silence_is_an_end(ends) -> None:
    wire = Wire(ends[0], Limits(10, 0.05, 5.0))
    ends[1].sendall(b"a")
    with pytest.raises(BadInput, match=r"nothing came for 0\.05 s"):
        wire.take(2)


def test_a_trickle_is_an_end(ends) -> None:
    wire = Wire(ends[0], Limits(10, 5.0, 0.05))
    ends[1].send(b"ab")
    wire.take(1)
    wire.check_time()
    time.sleep(0.1)
    with pytest.raises(BadInput, match=r"took longer than 0\.05 s"):
        wire.take(1)
    with pytest.raises(BadInput, match=r"took longer than 0\.05 s"):
        wire.check_time()


def test_client_that_takes_nothing_is_an_end(ends) -> None:
    wire = Wire(ends[0], Limits(10, 0.05, 5.0))
    with pytest.raises(Gone, match="takes nothing"):
        wire.send(bytes(10**8))


def test_client_that_left_is_an_end(ends) -> None:
    wire = Wire(ends[0], Limits(10, 5.0, 5.0))
    ends[1].close()
    with pytest.raises(BadInput, match="ended before its close"):
        wire.take(1)
    with pytest.raises(Gone, match="went away"):
        wire.send(bytes(10**8))


def test_drain_lets_a_client_finish(ends) -> None:
    wire = Wire(ends[0], Limits(10, 5.0, 5.0))
    wire.send(b"no")
    ends[1].setblocking(False)
    ends[1].send(bytes(10**4))  # more than it may
    ends[1].shutdown(socket.SHUT_WR)
    wire.drain()
    ends[1].setblocking(True)
    assert ends[1].recv(9) == b"no"
    assert ends[1].recv(9) == b""
