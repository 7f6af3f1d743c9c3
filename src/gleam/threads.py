"""Threads of a process: how many compute, and how they wait for each other.

PyTorch's threads wait for each other after every convolution and every small FFT. By default they
keep their cores busy meanwhile, and where another process wants one of these cores, a training step
has taken 14 times as long; threads that sleep lose less. On small images one thread is fastest
(`python -m benchmarks.threads`), but their number is never chosen by timing: sums are rounded in
another order with each, so a run would not end the same twice. PyTorch reads both variables when it
is imported.
"""

import os
from pathlib import Path

_NUMBER, _WAITING = "OMP_NUM_THREADS", "OMP_WAIT_POLICY"
_chosen: dict[str, str] = {}  # what `settle` has set: what else is there was chosen by the user


def settle() -> None:
    """Choose for this process, where the user did not; before torch is imported."""
    _chosen.update(environment())
    os.environ.update(_chosen)


def environment(processes: int = 1) -> dict[str, str]:
    """Variables for each of so many processes that compute at once; none that the user has set."""
    ours = {_NUMBER: str(max(1, cores() // processes)), _WAITING: "passive"}
    return {name: value for name, value in ours.items() if not _users(name)}


def share(processes: int) -> int:
    """Threads of each of so many processes; as many as the user says."""
    text = os.environ.get(_NUMBER, "")
    if _users(_NUMBER) and text.isdecimal() and int(text) > 0:
        return int(text)
    return max(1, cores() // processes)


def cores() -> int:
    """Number of cores this process may keep busy: by its affinity, and by its control groups'
    quota."""
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    return max(1, int(min(allowed, quota())))


def quota(process: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")) -> float:
    """Cores' worth of time that control groups allow, of both versions; infinite without a limit.

    Args:
        process: lists the groups, a line each: number, controllers, path.
        mount: the folder of all groups. A container may see its own as the root of this folder,
            whatever the path says; so the groups on the way there are asked as well.
    """
    try:
        lines = [line.split(":", 2) for line in process.read_text().splitlines()]
    except OSError:
        return float("inf")
    limits = [float("inf")]
    for _, controllers, path in (line for line in lines if len(line) == 3):
        if controllers and "cpu" not in controllers.split(","):
            continue
        for root in [mount / controllers, mount / "cpu"] if controllers else [mount]:
            group = root / path.strip("/")
            limits += [_limit(one) for one in (group, *group.parents) if one.is_relative_to(root)]
    return min(limits)


def _limit(group: Path) -> float:
    """Limit of one group: `cpu.max` holds "quota period" in version 2, two files do in version
    1."""
    for names in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
        try:
            text, period = " ".join((group / name).read_text() for name in names).split()
            if text != "max" and int(text) > 0:  # −1 in version 1: none
                return int(text) / int(period)
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return float("inf")


def _users(name: str) -> bool:
    return name in os.environ and os.environ[name] != _chosen.get(name)
