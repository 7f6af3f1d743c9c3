"""The processes that train one network together: who they are, and what they agree on.

Their ranks are those of a mesh (replica, pipeline), row by row. The processes of a replica form a
pipeline, each with some of the modules; those of a replica group, one of each replica, hold the
same modules and average their gradients. A run in one process is a group of one, and nothing here
does anything.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeVar

import torch
import torch.distributed as dist
from torch.distributed import distributed_c10d as c10d

from gleam.arrays import AnyTensor
from gleam.device import choose
from gleam.errors import BadInput
from gleam.parallel.faults import STORE, Lost, with_peers

T = TypeVar("T")

HANG_WAIT = 1.0  # seconds for the others to say that they wait as well
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Link:
    """The way between two processes that follow each other in a pipeline.

    Attributes:
        peer: rank of the other one.
        channel: of the two alone, so that on a GPU each direction has a stream of its own.
    """

    peer: int
    channel: dist.ProcessGroup


@dataclass(frozen=True)
class Group:
    """A process among the others.

    Attributes:
        rank: its number, from 0.
        pipeline_size: number of processes of a pipeline.
        replicas: number of pipelines.
        device: that it computes on.
        comm_device: of tensors that are sent and received: `device` through NCCL, else the CPU.
        upstream: the process before it in the pipeline, if any.
        downstream: the one after it.
        replica_group: the processes that hold the same modules; None without replicas.
        store: of keys and values that all processes read and write; None for one process.
        parent: process id of the launcher.
    """

    rank: int = 0
    pipeline_size: int = 1
    replicas: int = 1
    device: torch.device = field(default_factory=choose)
    comm_device: torch.device = CPU
    upstream: Link | None = None
    downstream: Link | None = None
    replica_group: dist.ProcessGroup | None = None
    store: c10d.Store | None = None
    parent: int = field(default_factory=os.getppid)

    @property
    def world_size(self) -> int:
        """Number of processes."""
        return self.pipeline_size * self.replicas

    @property
    def pipeline_rank(self) -> int:
        """Position in the pipeline, from 0."""
        return self.rank % self.pipeline_size

    @property
    def replica(self) -> int:
        """Number of its pipeline, from 0."""
        return self.rank // self.pipeline_size

    @property
    def share(self) -> tuple[int, int]:
        """Part of the data that its replica learns from, (i, n): the i-th of n."""
        return self.replica, self.replicas

    @property
    def records(self) -> bool:
        """Whether it writes down the run: what there is to say arrives at a pipeline's end."""
        return self.replica == 0 and self.downstream is None

    def agree(self, facts: Mapping[str, object]) -> None:
        """Make sure that all processes are about to do the same.

        Args:
            facts: what each knows, by name.

        Raises:
            BadInput: in all of them, if one knows otherwise than process 0.
            Lost: one is gone.
        """
        if self.store is None:
            return
        digests = [sha256(repr(fact).encode()).digest()[:7] for fact in facts.values()]
        mine = torch.tensor([int.from_bytes(digest, "big") for digest in digests])
        everyones = [torch.empty_like(mine) for _ in range(self.world_size)]
        self._all(lambda: dist.all_gather(everyones, mine))
        for rank, theirs in enumerate(everyones):
            for name, one, first in zip(facts, theirs.tolist(), everyones[0].tolist(), strict=True):
                if one != first:
                    raise BadInput(
                        f"process {rank} of {self.world_size} has another {name} than process 0; "
                        "give all processes the same recipe, data and code"
                    )

    def broadcast(self, make: Callable[[], Sequence[float]], length: int) -> list[float]:
        """Numbers that process 0 makes and all get."""
        numbers = torch.zeros(length, dtype=torch.float64)
        if self.rank == 0:
            numbers.copy_(torch.tensor(make(), dtype=torch.float64))
        if self.store is not None:
            self._all(lambda: dist.broadcast(numbers, 0))
        values: list[float] = numbers.tolist()
        return values

    def all_reduce(self, numbers: AnyTensor) -> AnyTensor:
        """The sum over the replica group, in all of its processes."""
        if self.replica_group is not None:
            self.within_replica_group(lambda: dist.all_reduce(numbers, group=self.replica_group))
        return numbers

    def request_stop(self, number: int = 0) -> None:
        """Have the run stop after one of the next steps; `number`: of a signal, if one asks."""
        store = self.store
        if store is not None:
            with_peers(lambda: store.set("stop", str(number)), STORE)

    def stop_signal(self) -> int:
        """Number of the signal that asked for it; 0 where none did."""
        store = self.store
        return 0 if store is None else int(with_peers(lambda: store.get("stop"), STORE))

    def should_stop(self) -> bool:
        """Whether this step is the last; asked once a step, at the head of each pipeline."""
        store = self.store
        if store is None:
            return False
        stop = torch.tensor(
            int(self.rank == 0 and with_peers(lambda: store.check(["stop"]), STORE))
        )
        if self.replica_group is not None:
            self.within_replica_group(lambda: dist.broadcast(stop, 0, group=self.replica_group))
        return bool(stop)

    def check_launcher(self) -> None:
        """Make sure that somebody still looks after this process.

        Raises:
            Lost: its launcher died.
        """
        if self.store is not None and os.getppid() != self.parent:
            raise Lost("the launcher")

    def find_hung(self, lost: Lost) -> Lost:
        """The process that hangs, where others wait for each other and so for it.

        Raises:
            SystemExit: all that this process waited for wait, too; they know better.
        """
        store = self.store
        if store is None or not lost.late or isinstance(lost.peers, str):
            return lost
        with suppress(RuntimeError):  # the store is gone, with the process that held it
            store.set(f"waits/{self.rank}", "")
            time.sleep(HANG_WAIT)
            lost.peers = [rank for rank in lost.peers if not store.check([f"waits/{rank}"])]
            if not lost.peers:
                raise SystemExit(1)
        return lost

    def maximum(self, number: float) -> float:
        """The largest of what the processes know."""
        numbers = torch.tensor(number, dtype=torch.float64)
        if self.store is not None:
            self._all(lambda: dist.all_reduce(numbers, dist.ReduceOp.MAX))
        return float(numbers)

    def barrier(self) -> None:
        """Wait until all processes have come to this line."""
        if self.store is not None:
            self._all(lambda: dist.all_reduce(torch.zeros(1)))

    def within_replica_group(self, work: Callable[[], T]) -> T:
        """Do something with the replica group, whose processes may be lost."""
        ranks = range(self.pipeline_rank, self.world_size, self.pipeline_size)
        return with_peers(work, [rank for rank in ranks if rank != self.rank])

    def _all(self, work: Callable[[], T]) -> T:
        return with_peers(work, [rank for rank in range(self.world_size) if rank != self.rank])
