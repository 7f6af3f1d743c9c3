"""One function over many items, in processes that may die and whose memory is bounded.

A process holds one item at a time. So when one dies, by the system's hand or inside a library, it
is known over which item: that item is reported lost, and a new process takes over.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

import torch

from gleam.errors import Stopped
from gleam.processes import PROCESSES, cause_of_death, settle, share_of_memory

Item = TypeVar("Item")
Result = TypeVar("Result")

PROCESSES.set_forkserver_preload(["gleam.preparation.prepare"])


def map_in_processes(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    memory: int | None,
    lost: Callable[[Item, str], Result],
) -> Iterator[Result]:
    """The function's results, in whatever order they come.

    Args:
        function: raises nothing but `Stopped`, which ends the work on all items; it, the items and
            the results can be pickled.
        items: each is given to one process.
        workers: the number of processes.
        memory: bytes that each of them may take (see `gleam.processes.settle`); what goes beyond
            fails inside `function` as an allocation. None is an equal share of the machine's. One
            that uses a GPU has a share of that one's memory instead.
        lost: makes the result of an item whose process died; told of what, "SIGKILL" say.

    Raises:
        Stopped: by the function.
    """
    if memory is None:
        memory = share_of_memory(workers)
    waiting = deque(items)
    idle = [_Worker(function, memory, workers) for _ in range(min(workers, len(items)))]
    busy: dict[_Worker[Item, Result], Item] = {}
    try:
        while waiting or busy:
            while waiting and idle:
                worker = idle.pop()
                busy[worker] = waiting.popleft()
                with suppress(OSError):  # it is dead: nothing will come back, which is seen below
                    worker.pipe.send(busy[worker])
            ready = wait([worker.pipe for worker in busy])
            for worker in [worker for worker in busy if worker.pipe in ready]:
                item = busy.pop(worker)
                try:
                    result = worker.pipe.recv()
                except (EOFError, OSError):
                    result = lost(item, cause_of_death(worker.process))
                    worker = _Worker(function, memory, workers)
                idle.append(worker)
                if isinstance(result, Stopped):
                    raise result
                yield result
    finally:
        for worker in (*idle, *busy):
            worker.process.terminate()


class _Worker(Generic[Item, Result]):
    """A process, and our end of the pipe to it."""

    def __init__(
        self, function: Callable[[Item], Result], memory: int | None, workers: int
    ) -> None:
        self.pipe, theirs = PROCESSES.Pipe()
        self.process = PROCESSES.Process(
            target=_work, args=(theirs, function, memory, workers), daemon=True
        )
        self.process.start()
        theirs.close()  # so that only the process holds it, and its death is seen here


def _work(
    pipe: Connection, function: Callable[[Item], Result], memory: int | None, workers: int
) -> None:
    settle(memory, workers)
    torch.set_num_threads(1)
    with suppress(EOFError, OSError):  # the parent is gone
        while True:
            item = pipe.recv()
            try:
                result: Result | Stopped = function(item)
            except Stopped as error:
                result = error
            pipe.send(result)
