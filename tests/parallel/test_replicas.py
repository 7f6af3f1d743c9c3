import numpy as np
import pytest
import torch
from parallel_work import Arrays, learn_as_replicas
from processes import in_processes

from gleam.parallel.replicas import BUCKET, _buckets


def far(got: Arrays, expected: Arrays) -> float:
    one, other = (np.concatenate([array.ravel() for array in arrays]) for arrays in (got, expected))
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


@pytest.mark.parametrize(("dtype", "steps"), [(torch.complex64, 1), (torch.complex128, 15)])
def test_replicas_learn_what_one_process_learns_from_the_whole_batch(
    dtype: torch.dtype, steps: int
) -> None:
    gradients, weights, losses = learn_as_replicas(steps, 4, dtype)
    one, other = in_processes(2, learn_as_replicas, steps, 4, dtype)
    assert all(np.array_equal(a, b) for a, b in zip(one[1], other[1], strict=True))
    assert far(one[0], gradients) < 1e-6
    assert one[2] == other[2]
    if dtype == torch.complex128:
        assert far(one[1], weights) < 1e-9
        assert one[2] == pytest.approx(losses, rel=1e-9)


def test_buckets_hold_everything_in_order_and_no_more_than_their_size() -> None:
    sizes = [1, BUCKET // 8, BUCKET // 5, BUCKET // 2, 3, BUCKET // 8, BUCKET // 4]
    tensors = [torch.empty(size, device="meta") for size in sizes]
    buckets = list(_buckets(tensors))
    assert [t.numel() for bucket in buckets for t in bucket] == sizes
    assert [len(bucket) for bucket in buckets] == [2, 1, 1, 2, 1]
