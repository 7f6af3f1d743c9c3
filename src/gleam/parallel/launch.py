"""Start one process for every device of this machine, and see them to their end.

They are what torchrun would start: the same command with other environment variables. This process
holds their common store, so that word can be left in it whoever dies.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from gleam import threads
from gleam.errors import Stopped
from gleam.parallel.meeting import attempt_store
from gleam.terminal import silence

POLL = 0.05  # seconds
GRACE = 10.0  # seconds for the others to end by themselves, once one has failed


def launch(devices: int, command: Sequence[str]) -> int:
    """Run a command in several processes; the first failure ends them all.

    Args:
        devices: how many.
        command: arguments of this Python.

    Returns:
        The exit code.

    Raises:
        Stopped: a process died, and none was left to say so.
    """
    store = common_store()
    processes = [
        subprocess.Popen(
            [sys.executable, *command],
            env=environment,
            start_new_session=True,  # Ctrl-C comes through here, once
        )
        for environment in environments(store, devices)
    ]
    try:
        with silence(), _signals_forwarded(processes) as signalled:
            codes = _wait(processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    if not codes:
        return 0
    if signalled:
        return 128 + signalled[0]
    if not attempt_store(store).check(["reported"]):
        rank, code = next(iter(codes.items()))
        how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        raise Stopped(f"process {rank} (counted from 0) {how}")
    return 2 if 2 in codes.values() else max(1, *codes.values())


def common_store() -> TCPStore:
    """The store through which processes of this machine meet; it ends with this process."""
    return TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


def environments(store: TCPStore, devices: int) -> list[dict[str, str]]:
    """The environment variables of each process, as torchrun would set them.

    Args:
        store: that they meet through.
        devices: how many there are; they share the cores, unless the user says otherwise.
    """
    loopback = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    common = {
        **loopback,
        **os.environ,
        **threads.environment(devices),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "WORLD_SIZE": str(devices),
        "LOCAL_WORLD_SIZE": str(devices),
    }
    return [common | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(devices)]


def _wait(processes: Sequence["subprocess.Popen[bytes]"]) -> dict[int, int]:
    """Wait until all have ended, or for a while since one has failed.

    Returns:
        Codes of those that failed, by rank, the first to fail first.
    """
    failed: dict[int, int] = {}
    deadline = float("inf")
    # Every one is polled every time: the first may hang while others have failed.
    while None in (codes := [p.poll() for p in processes]) and time.monotonic() < deadline:
        failed |= {rank: code for rank, code in enumerate(codes) if code}
        if failed:
            deadline = min(deadline, time.monotonic() + GRACE)
        time.sleep(POLL)
    return failed | {rank: code for rank, code in enumerate(codes) if code}


@contextmanager
def _signals_forwarded(processes: Sequence["subprocess.Popen[bytes]"]) -> Iterator[list[int]]:
    """Yield the signals that came, one after the other."""
    came: list[int] = []

    def forward(number: int, _: FrameType | None) -> None:
        came.append(number)
        for process in processes:
            process.send_signal(number)

    both = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, forward) for number in both}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
