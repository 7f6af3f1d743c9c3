"""A function in several processes at once, as a launcher would start them."""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import torch
from torch.distributed import TCPStore

from gleam.errors import BadInput, Stopped
from gleam.processes import settle

PROCESSES = multiprocessing.get_context("forkserver")


def in_processes(count: int, function: Callable[..., Any], *arguments: object) -> list[Any]:
    """What it returns in each; or its BadInput, Stopped, or exit code.

    The function must be importable, and its arguments and results can be pickled.
    """
    PROCESSES.set_forkserver_preload(["gleam.runs.train"])
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    environ = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "GLOO_SOCKET_IFNAME": "lo",
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
    }
    started = []
    for rank in range(count):
        ours, theirs = PROCESSES.Pipe()
        own = environ | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        process = PROCESSES.Process(target=_run, args=(theirs, own, function, arguments))
        process.start()
        theirs.close()
        started.append((process, ours))
    try:
        return [ours.recv() for _, ours in started]
    finally:
        for process, ours in started:
            ours.close()
            process.kill()
            process.join()


def _run(
    pipe: Connection, environ: dict[str, str], function: Callable[..., Any], arguments: Any
) -> None:
    os.environ.update(environ)
    torch.set_num_threads(1)
    try:
        pipe.send(function(*arguments))
    except (BadInput, Stopped) as error:
        pipe.send(error)
    except SystemExit as error:
        pipe.send(error.code)


def reserve(amount: int) -> bool:
    """Whether a process that is to take 64 MiB can take so many bytes."""
    settle(2**26)
    try:
        return bool(bytearray(amount))
    except MemoryError:
        return False
