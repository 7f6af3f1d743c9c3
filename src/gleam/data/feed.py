"""Batches of consecutive steps, read before they are used.

Where a CPU trains, one thread reads the next batch and applies Aᴴ while this one is learnt from:
with more, reading and training would fight over the cores. A GPU transforms by itself, from pinned
memory; several threads read for it. Threads suffice: HDF5 lets one of them read at a time, but that
is a small part of what it takes to make a batch (`python -m benchmarks.feeding`).
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

import torch

from gleam.data.batch import Batch
from gleam.data.collate import Raw
from gleam.data.open_files import kept_open

T = TypeVar("T")

READERS = 4  # threads that read for a GPU, if the process has as many cores
AHEAD = 2  # batches read beyond those that are being read
ROOM = 2**30  # bytes that all of these may take, but for one
_TICK = 1e-3  # seconds between two looks at whether a GPU has run out of work


class Feed(Iterator[Batch]):
    """The batches, in order.

    Args:
        raw: reads the batch of a step, into pinned memory if so told; from several threads.
        steps: whose batches they are.
        device: where they are wanted.

    Attributes:
        waited: seconds for which the device had nothing to do until the last batch was there.
    """

    def __init__(
        self, raw: Callable[[int, bool], Raw], steps: Sequence[int], device: torch.device
    ) -> None:
        self.waited = 0.0
        self._raw, self._steps, self._device = raw, steps, device
        self._batches = self._on_gpu() if device.type == "cuda" else self._on_cpu()

    def __next__(self) -> Batch:
        return next(self._batches)

    def close(self) -> None:
        """Read no further."""
        self._batches.close()

    def _on_cpu(self) -> Generator[Batch, None, None]:
        yield from self._in_order(lambda step: self._raw(step, False).measure(), 1, lambda _: 1)

    def _on_gpu(self) -> Generator[Batch, None, None]:
        readers = min(READERS, torch.get_num_threads())

        def ahead(raw: Raw) -> int:
            return max(1, min(readers + AHEAD, ROOM // raw.nbytes))

        for raw in self._in_order(lambda step: self._raw(step, True), readers, ahead):
            yield raw.to(self._device).measure()

    def _in_order(
        self, read: Callable[[int], T], readers: int, ahead: Callable[[T], int]
    ) -> Iterator[T]:
        """Data read for each step, in order; as many steps ahead of the one in use as `ahead` says
        of it."""
        pool = ThreadPoolExecutor(readers, "feed", self._begin)
        with kept_open(), pool:
            steps = iter(self._steps)
            coming = deque(pool.submit(read, step) for step in islice(steps, 1))
            try:
                while coming:
                    first = coming.popleft()
                    self.waited = self._wait(first)
                    done = first.result()
                    more = max(0, ahead(done) - len(coming))
                    coming.extend(pool.submit(read, step) for step in islice(steps, more))
                    yield done
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        """Prepare a thread: pinned memory is taken in the context of the GPU that is used."""
        torch.set_num_threads(1)
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)

    def _wait(self, batch: Future[T]) -> float:
        """Wait until it was read; say for how long the device had nothing to do meanwhile."""
        started = time.monotonic()
        if self._device.type != "cuda":
            wait([batch])
            return time.monotonic() - started
        given, idle_since = torch.cuda.current_stream(self._device).record_event(), None
        while not batch.done():
            if idle_since is None and given.query():
                idle_since = time.monotonic()
            wait([batch], _TICK)
        return 0.0 if idle_since is None else time.monotonic() - idle_since
