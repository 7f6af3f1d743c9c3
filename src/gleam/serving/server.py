"""The server: it listens, and gives every client a process of its own.

A process is what bounds a client's memory and time for sure, and what may die of a client's scan
without harm to anybody else. Clients beyond those served at once wait in the system's queue.
"""

import signal
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection, wait

import torch

from gleam.errors import BadInput, Signalled
from gleam.processes import PROCESSES, cause_of_death, settle, share_of_memory
from gleam.serving.session import Load, answer
from gleam.serving.wire import Limits
from gleam.threads import share

_QUEUE = 64  # clients that may wait; further ones are turned away by the system
_GRACE = 5.0  # seconds to end by itself what has taken too long


def serve(
    load: Load,
    host: str,
    port: int,
    connections: int,
    limits: Limits,
    log: Callable[[str], None],
    check: bool = False,
) -> None:
    """Serve until a signal ends it; clients that are being served then are cut off.

    Args:
        load: gives the method; it can be pickled, and is called in every client's process.
        host, port: where to listen; port 0 is any free one.
        connections: clients served at once, with equal shares of the machine's memory.
        limits: of each.
        log: takes a line when the server is ready, and one for every connection.
        check: whether images are checked without the truth.

    Raises:
        BadInput: that is no place to listen at, or another program does.
        Signalled: by SIGINT or SIGTERM, the only end there is.
    """
    memory, threads = share_of_memory(connections), share(connections)
    work = partial(answer, load=load, limits=limits, check=check)
    clients: list[_Client] = []
    with _listening(host, port) as listener, _stopped() as stop:
        PROCESSES.set_forkserver_preload(["gleam.serving.session"])
        first = PROCESSES.Process(target=int)  # libraries are imported now, not for a client
        first.start()
        first.join()
        log(f"listening on {_spelled(listener.getsockname())}")
        while True:
            room = [listener] if len(clients) < connections else []
            ready = wait([stop, *room, *(c.process.sentinel for c in clients)], _patience(clients))
            if stop in ready:
                break
            for client in [client for client in clients if client.process.sentinel in ready]:
                log(client.outcome())
                clients.remove(client)
            for client in clients:
                if time.monotonic() > client.end:
                    client.cut_off(f"took longer than {limits.seconds:g} s")
            if listener in ready:
                with suppress(OSError):  # it went away again
                    connection, address = listener.accept()
                    try:
                        clients.append(
                            _Client(connection, address, work, limits.seconds, memory, threads)
                        )
                    except (OSError, EOFError):
                        log(f"{_spelled(address)}: refused: no process can be started for it")
        for client in clients:
            client.cut_off("the server was stopped")
            log(client.outcome())
        raise Signalled("stopped", stop.recv(1)[0])


class _Client:
    """A client, and the process that serves it.

    Attributes:
        process: ends with the connection.
        end: when it should have, in the time of `time.monotonic`.
    """

    def __init__(
        self,
        connection: socket.socket,
        address: tuple[str, int],
        work: Callable[[socket.socket], str],
        seconds: float,
        memory: int | None,
        threads: int,
    ) -> None:
        self._address, self._start = _spelled(address), time.monotonic()
        self._cut_off = ""
        self.end = self._start + seconds + _GRACE
        self._pipe, theirs = PROCESSES.Pipe(duplex=False)
        with theirs, connection:  # both are the process's from here on
            self.process = PROCESSES.Process(
                target=_answer,
                args=(theirs, connection, work, memory, threads),
                daemon=True,
            )
            self.process.start()

    def cut_off(self, why: str) -> None:
        """End the process, whatever it is at."""
        self._cut_off = f"cut off: {why}"
        self.process.kill()

    def outcome(self) -> str:
        """The line for the log, once the process has ended."""
        cause = cause_of_death(self.process)
        text = self._cut_off or f"its process died of {cause}"
        with self._pipe, suppress(EOFError):
            text = self._pipe.recv_bytes().decode()
        return f"{self._address}: {text}; {time.monotonic() - self._start:.1f} s"


def _answer(
    pipe: Connection,
    connection: socket.socket,
    work: Callable[[socket.socket], str],
    memory: int | None,
    threads: int,
) -> None:
    settle(memory)
    torch.set_num_threads(threads)
    warnings.simplefilter("ignore")  # of libraries, on numbers that nobody can use
    text = work(connection)
    with suppress(OSError):  # the server is gone
        pipe.send_bytes(text.encode())


def _patience(clients: list[_Client]) -> float | None:
    """Seconds until some client will have taken too long."""
    if not clients:
        return None
    return max(0.0, min(client.end for client in clients) - time.monotonic())


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_QUEUE)
    except OSError as error:
        raise BadInput(
            f"serve: cannot listen on {host}, port {port} ({error.strerror}); choose another "
            "--port or --host"
        ) from error
    with listener:
        listener.setblocking(False)
        yield listener


@contextmanager
def _stopped() -> Iterator[socket.socket]:
    """A socket that can be read from once SIGINT or SIGTERM has come."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        before = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
        wakeup = signal.set_wakeup_fd(theirs.fileno())
        try:
            for number, _ in before:
                signal.signal(number, lambda *_: None)
            yield ours
        finally:
            for number, handler in before:
                signal.signal(number, handler)
            signal.set_wakeup_fd(wakeup)


def _spelled(address: tuple[str, int]) -> str:
    """Host and port; an address of IPv6 has more to it."""
    host, port, *_ = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
