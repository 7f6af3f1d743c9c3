"""The processes of a training meet, and part again.

Launchers (torchrun, `gleam train --devices`) say by environment variables who a process is.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import pairwise

import torch
import torch.distributed as dist
from torch.distributed import distributed_c10d as c10d
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.rendezvous import rendezvous

from gleam.device import choose
from gleam.errors import BadInput, Stopped, code_of
from gleam.parallel.faults import STORE, Lost, with_peers
from gleam.parallel.group import CPU, Group, Link


def world_size() -> int:
    """The number of processes that the launcher started; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def process_group(replicas: int, timeout: float, device: str = "auto") -> Iterator[Group]:
    """Meet the other processes; of those that fail, the first alone says why.

    Args:
        replicas: divides the number of processes.
        timeout: seconds after which one that does not answer counts as lost.
        device: where each computes, see `gleam.device`.

    Raises:
        BadInput: the environment says that there are others, and not where.
        Stopped: not all came.
        SystemExit: instead of a `BadInput` or `Stopped`, where another process has said its own.
    """
    if world_size() == 1:
        yield Group(device=choose(device))
        return
    patience = timedelta(seconds=timeout)
    store, rank, size = _rendezvous(patience)
    store = attempt_store(store)
    try:
        yield _join(store, rank, size, replicas, patience, device)
    except (BadInput, Stopped) as error:
        if not _reports_first(store):
            raise SystemExit(code_of(error)) from None
        raise
    except BaseException as error:
        if isinstance(error, SystemExit) or _reports_first(store):
            raise
        if isinstance(error, KeyboardInterrupt):
            raise SystemExit(code_of(error)) from None
        raise
    else:
        dist.destroy_process_group()
    finally:  # it ends by itself: a launcher that sees another one end need not hurry it
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def attempt_store(store: c10d.Store) -> c10d.Store:
    """The part of a common store that is of this attempt to run, should torchrun make several."""
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return c10d.PrefixStore(f"gleam/{attempt}", store)


def _rendezvous(patience: timedelta) -> tuple[c10d.Store, int, int]:
    """The common store, the number of this process, and how many there are."""
    try:
        found: tuple[c10d.Store, int, int] = next(rendezvous("env://", timeout=patience))
    except ValueError as error:
        raise BadInput(
            f"WORLD_SIZE says that there are {world_size()} processes, and other variables are "
            "missing; start them with torchrun or gleam train --devices, or unset it"
        ) from error
    except RuntimeError as error:
        raise Stopped(f"{STORE} did not answer at {os.environ['MASTER_ADDR']}") from error
    return found


def _join(
    store: c10d.Store, rank: int, size: int, replicas: int, patience: timedelta, device_name: str
) -> Group:
    local = int(os.environ.get("LOCAL_RANK", rank))
    local_size = int(os.environ.get("LOCAL_WORLD_SIZE", size))
    device = choose(device_name, local)
    nccl = one_gpu_each(device_name, local_size)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if nccl else "gloo"
    pipeline_size = size // replicas

    def start() -> tuple[dist.ProcessGroup, list[dist.ProcessGroup | None]]:
        own = c10d.PrefixStore("torch", store)
        dist.init_process_group(backend, store=own, rank=rank, world_size=size, timeout=patience)
        axes = init_device_mesh(
            "cuda" if nccl else "cpu", (replicas, pipeline_size), mesh_dim_names=("data", "module")
        )
        pipelines = axes.mesh.tolist()
        pairs = [pair for line in pipelines for pair in pairwise(line)]
        made = {pair: dist.new_group(pair, timeout=patience) for pair in pairs}
        return axes.get_group("data"), [made.get((rank - 1, rank)), made.get((rank, rank + 1))]

    try:
        replica_group, (before, after) = with_peers(
            start, [other for other in range(size) if other != rank]
        )
    except Lost as lost:
        raise Stopped(str(lost)) from lost
    return Group(
        rank=rank,
        pipeline_size=pipeline_size,
        replicas=replicas,
        device=device,
        comm_device=device if nccl else CPU,
        upstream=Link(rank - 1, before) if before else None,
        downstream=Link(rank + 1, after) if after else None,
        replica_group=replica_group if replicas > 1 else None,
        store=store,
    )


def one_gpu_each(device_name: str, processes: int) -> bool:
    """Whether the processes of a machine compute on as many GPUs; NCCL refuses two on one.

    They may be more than there are GPUs, or all sent to one by its number.
    """
    devices = {choose(device_name, number) for number in range(processes)}
    return len(devices) == processes and all(device.type == "cuda" for device in devices)


def _reports_first(store: c10d.Store) -> bool:
    with suppress(RuntimeError):  # the store is gone, with the process that held it
        first: bool = store.add("reported", 1) == 1
        return first
    return True
