import os
import signal
import sys
from multiprocessing import active_children

import pytest

from gleam.workers import map_in_processes


def work(item: int) -> int:
    if item < 0:
        os.kill(os.getpid(), -item)
    if item == 0:
        os._exit(3)
    return 2 * item


def lost(item: int, cause: str) -> tuple[int, str]:
    return item, cause


def fill(size: int) -> int | str:
    try:
        return len(bytearray(size))
    except MemoryError:
        return "too large"


def process(item: int) -> int:
    return os.getpid()


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_every_item_is_worked_on_once(workers: int) -> None:
    results = map_in_processes(work, range(1, 8), workers, None, lost)
    assert sorted(results) == [2, 4, 6, 8, 10, 12, 14]
    assert list(map_in_processes(work, [], workers, None, lost)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_dead_worker_costs_its_own_item_only(workers: int) -> None:
    items = [1, -signal.SIGKILL, 2, 0, -signal.SIGSEGV, 3, 4]
    results = list(map_in_processes(work, items, workers, None, lost))
    assert sorted(r for r in results if isinstance(r, int)) == [2, 4, 6, 8]
    assert {r for r in results if isinstance(r, tuple)} == {
        (-signal.SIGKILL, "SIGKILL"), (-signal.SIGSEGV, "SIGSEGV"), (0, "exit code 3")
    }  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux only")
def test_allocation_beyond_the_bound_fails_and_nothing_else(bounded: None) -> None:
    results = list(map_in_processes(fill, [2**30, 2**20, 2**30, 2**21], 1, 2**29, lost))
    assert results == ["too large", 2**20, "too large", 2**21]


def test_no_process_outlives_a_loop_that_was_left() -> None:
    results = map_in_processes(process, range(100), 2, None, lost)
    next(results)
    assert len(active_children()) == 2
    results.close()
    for child in active_children():
        child.join(timeout=60)
    assert active_children() == []
