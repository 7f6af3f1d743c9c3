"""What a process may take."""

import sys
from collections.abc import Callable

import pytest
import torch

from gleam import processes
from gleam.device import choose
from gleam.processes import PROCESSES, held, on_a_gpu, settle

MIB = 2**20

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux only")


def taken(amount: int) -> bool:
    try:
        return bool(bytearray(amount))
    except MemoryError:
        return False


def beyond_what_it_holds() -> list[bool]:
    before = bytearray(300 * MIB)
    settle(200 * MIB)
    del before
    return [held() > 0, taken(150 * MIB), taken(600 * MIB)]


def on_a_gpu_it_is_lifted() -> list[bool]:
    settle(100 * MIB, beside=4)
    bounded = taken(400 * MIB)
    return [bounded, on_a_gpu() == 4, taken(400 * MIB)]


@pytest.mark.parametrize(
    ("work", "expected"),
    [(beyond_what_it_holds, [True, True, False]), (on_a_gpu_it_is_lifted, [False, True, True])],
)
def test_bound(work: Callable[[], list[bool]], expected: list[bool], bounded: None) -> None:
    with PROCESSES.Pool(1) as pool:
        assert pool.apply(work) == expected


@pytest.mark.parametrize(("beside", "fractions"), [(1, []), (4, [(0.25, 1)])])
def test_processes_share_a_gpu(
    beside: int, fractions: list[tuple[float, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[float, int]] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda *said: asked.append(said)
    )
    monkeypatch.setattr(processes._Settled, "beside", beside)
    assert choose("cuda:1") == torch.device("cuda", 1)
    assert choose("cpu") == torch.device("cpu")
    assert asked == fractions
