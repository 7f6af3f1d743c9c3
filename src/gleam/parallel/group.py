"""The processes that train one network together: who they are, and what they agree on.

There are replicas × places of them, numbered row by row. The processes of a replica form a
pipeline, each with some of the modules; those of one place, in every replica, hold the same modules
and average their gradients. A run in one process is a group of one, and nothing here does anything.
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
from torch import Tensor
from torch.distributed import distributed_c10d as c10d

from gleam.device import choose
from gleam.errors import BadInput
from gleam.parallel.faults import STORE, Lost, survived

T = TypeVar("T")

TRACING = 1.0  # seconds for the others to say that they wait as well
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
        rank: its number.
        places: processes of a pipeline.
        replicas: pipelines.
        device: where it computes.
        wire: where tensors are when they travel: on the device through NCCL, else on the CPU.
        upstream: the process before it in the pipeline, if any.
        downstream: the one after it.
        twins: the processes of its place in all replicas; None without replicas.
        store: where processes leave words for each other; None for one process.
    """

    rank: int = 0
    places: int = 1
    replicas: int = 1
    device: torch.device = field(default_factory=choose)
    wire: torch.device = CPU
    upstream: Link | None = None
    downstream: Link | None = None
    twins: dist.ProcessGroup | None = None
    store: c10d.Store | None = None
    parent: int = field(default_factory=os.getppid)

    @property
    def size(self) -> int:
        """Of the group."""
        return self.places * self.replicas

    @property
    def place(self) -> int:
        """In the pipeline."""
        return self.rank % self.places

    @property
    def replica(self) -> int:
        """Which pipeline."""
        return self.rank // self.places

    @property
    def share(self) -> tuple[int, int]:
        """Which part of the data is its replica's: the i-th of n."""
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
        everyones = [torch.empty_like(mine) for _ in range(self.size)]
        self._all(lambda: dist.all_gather(everyones, mine))
        for rank, theirs in enumerate(everyones):
            for name, one, first in zip(facts, theirs.tolist(), everyones[0].tolist(), strict=True):
                if one != first:
                    raise BadInput(
                        f"process {rank} of {self.size} has another {name} than process 0; give "
                        "all processes the same recipe, data and code"
                    )

    def from_first(self, make: Callable[[], Sequence[float]], length: int) -> list[float]:
        """Numbers that process 0 makes and all get."""
        numbers = torch.zeros(length, dtype=torch.float64)
        if self.rank == 0:
            numbers.copy_(torch.tensor(make(), dtype=torch.float64))
        if self.store is not None:
            self._all(lambda: dist.broadcast(numbers, 0))
        values: list[float] = numbers.tolist()
        return values

    def over_replicas(self, numbers: Tensor) -> Tensor:
        """The sum over the processes of this place, in all of them."""
        if self.twins is not None:
            self.among_twins(lambda: dist.all_reduce(numbers, group=self.twins))
        return numbers

    def ask_to_stop(self, number: int = 0) -> None:
        """Have the run stop after one of the next steps; `number`: of a signal, if one asks."""
        store = self.store
        if store is not None:
            survived(lambda: store.set("stop", str(number)), STORE)

    def asked_to_stop(self) -> int:
        """By which signal; 0 where none was heard of."""
        store = self.store
        return 0 if store is None else int(survived(lambda: store.get("stop"), STORE))

    def stops(self) -> bool:
        """Whether this step is the last; asked once a step, at the head of each pipeline."""
        store = self.store
        if store is None:
            return False
        stop = torch.tensor(int(self.rank == 0 and survived(lambda: store.check(["stop"]), STORE)))
        if self.twins is not None:
            self.among_twins(lambda: dist.broadcast(stop, 0, group=self.twins))
        return bool(stop)

    def check_launcher(self) -> None:
        """Make sure that somebody still looks after this process.

        Raises:
            Lost: its launcher died.
        """
        if self.store is not None and os.getppid() != self.parent:
            raise Lost("the launcher")

    def traced(self, lost: Lost) -> Lost:
        """Who hangs, where processes wait for each other and so for one that does.

        Raises:
            SystemExit: all that this process waited for wait, too; they know better.
        """
        store = self.store
        if store is None or not lost.late or isinstance(lost.who, str):
            return lost
        with suppress(RuntimeError):  # the store is gone, with the process that held it
            store.set(f"waits/{self.rank}", "")
            time.sleep(TRACING)
            lost.who = [rank for rank in lost.who if not store.check([f"waits/{rank}"])]
            if not lost.who:
                raise SystemExit(1)
        return lost

    def most(self, number: float) -> float:
        """The largest of what the processes know."""
        numbers = torch.tensor(number, dtype=torch.float64)
        if self.store is not None:
            self._all(lambda: dist.all_reduce(numbers, dist.ReduceOp.MAX))
        return float(numbers)

    def meet(self) -> None:
        """Wait until all have come to this line."""
        if self.store is not None:
            self._all(lambda: dist.all_reduce(torch.zeros(1)))

    def among_twins(self, work: Callable[[], T]) -> T:
        """Do something with the processes of this place, which may be lost."""
        ranks = range(self.place, self.size, self.places)
        return survived(work, [rank for rank in ranks if rank != self.rank])

    def _all(self, work: Callable[[], T]) -> T:
        return survived(work, [rank for rank in range(self.size) if rank != self.rank])
