import pytest
import torch

from gleam.parallel.meeting import one_gpu_each


@pytest.mark.parametrize(
    ("gpus", "said", "processes", "each"),
    [
        (2, "cuda", 2, True),
        (2, "cuda", 1, True),
        (2, "cuda", 3, False),
        (2, "cuda:1", 2, False),
        (2, "cpu", 1, False),
        (0, "auto", 1, False),
    ],
)
def test_nccl_is_for_processes_with_a_gpu_each(
    gpus: int, said: str, processes: int, each: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert one_gpu_each(said, processes) is each
