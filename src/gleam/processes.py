"""Processes for work that may go wrong: how they start, what they may take, what they died of."""

import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from multiprocessing.process import BaseProcess

if sys.platform == "win32":
    PROCESSES = multiprocessing.get_context("spawn")
else:  # a server imports the libraries once, for every process that it forks
    PROCESSES = multiprocessing.get_context("forkserver")


def share_of_memory(processes: int) -> int | None:
    """Bytes of each where so many share the machine's; None where they cannot be bounded."""
    if sys.platform != "linux":
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // processes


def settle(memory: int | None, beside: int = 1) -> None:
    """Begin a process: Ctrl-C is for its parent, which ends it, and its memory is bounded.

    Args:
        memory: bytes that it may take beyond those that it holds by now, with libraries loaded;
            what goes beyond fails as an allocation. Linux counts private writable memory
            (RLIMIT_DATA), reserved or used: neither libraries nor mapped files. Other systems set
            no bound.
        beside: processes of this kind that share a GPU, should they use one (see `on_a_gpu`).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _Settled.beside = beside
    if sys.platform == "linux" and memory is not None:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        _Settled.before = soft
        bound = held() + memory
        bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))


def on_a_gpu() -> int:
    """This process uses a GPU: lift the bound of `settle`, under which CUDA may not live.

    It reserves far more addresses than it will use of the machine's memory, as its driver sees fit.

    Returns:
        How many processes share the GPU's memory.
    """
    if _Settled.before is not None:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (_Settled.before, hard))
        _Settled.before = None
    return _Settled.beside


class _Settled:
    """The outcome of `settle` in this process."""

    beside = 1
    before: int | None = None  # the bound that there was, if it set another


def held() -> int:
    """Bytes of private writable memory of this process; 0 where the system does not say."""
    with suppress(OSError), open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def cause_of_death(process: BaseProcess) -> str:
    """The signal that ended a process, "SIGKILL" say, or its exit code; waits for it."""
    process.join()
    code = process.exitcode or 0
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
