import pytest

from gleam.planning.few import representatives, traced, work_of_all
from gleam.planning.trace import Held, Trace, Work


@pytest.mark.parametrize(
    ("sizes", "overlap", "few"),
    [
        ([2] * 8, 0, [1, 2]),
        ([3, 3, 2, 2, 2], 0, [1, 3, 2, 2]),
        ([5], 0, [5]),
        ([5, 5, 2], 1, [5, 5, 2]),
        ([1] * 9, 1, [1] * 4),
        ([2] * 3, 2, [2, 2, 2]),
    ],
)
def test_few_modules_stand_for_all(sizes, overlap, few):
    assert representatives(sizes, overlap) == few


def toy(sizes):
    """Of one module: each iteration keeps 10, and its gradient is 1; the first keeps only 4."""
    (n,) = sizes
    held = {
        ("backward", 0, k): Held(gradients=n - k, activations=4 + 10 * k, workspace=5)
        for k in range(n)
    }
    return Trace(held, {0: Work(operations=7 + 3 * n, moved=n)})


def test_long_modules_follow_from_short_ones():
    found = traced([50], toy)
    assert found.peak == toy([50]).peak
    assert found.work[0] == toy([50]).work[0]


def test_what_is_irregular_is_traced_whole():
    seen = []
    traced([50], lambda sizes: seen.append(sizes) or toy(sizes), regular=False)
    assert seen == [[50]]


def test_work_of_all_is_that_of_each():
    trace = Trace({}, {0: Work(1, 1), 1: Work(2, 10), 2: Work(3, 100)})
    assert work_of_all([2, 2, 2, 1, 1], [1, 2, 1], trace).convolutions == 3 * 10 + 2 * 1
