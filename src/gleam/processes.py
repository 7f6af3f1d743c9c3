"""Processes for work that may go wrong: how they start, what they may take, what they died of."""

import multiprocessing
import os
import signal
import sys
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


def settle(memory: int | None) -> None:
    """Begin a process: Ctrl-C is for its parent, which ends it, and its memory is bounded.

    Args:
        memory: bytes that it may take, some 200 MiB of which a fresh one needs; what goes beyond
            fails as an allocation. Linux counts private writable memory (RLIMIT_DATA), reserved
            or used: neither libraries nor mapped files. Other systems set no bound.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux" and memory is not None:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        bound = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))


def cause_of_death(process: BaseProcess) -> str:
    """What a process died of, "SIGKILL" say, or with which exit code; waits for it."""
    process.join()
    code = process.exitcode or 0
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
