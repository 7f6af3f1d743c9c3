from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_recipe

from gleam.errors import BadInput
from gleam.parallel.placement import Placement, partition


def test_no_other_cut_is_better() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        costs = random.uniform(0, 1, size=random.integers(1, 8)).tolist()
        parts = int(random.integers(1, len(costs) + 1))
        lengths = partition(costs, parts)
        assert len(lengths) == parts
        assert sum(lengths) == len(costs)
        assert min(lengths) >= 1
        borders = combinations(range(1, len(costs)), parts - 1)
        least = min(costliest(costs, [0, *b, len(costs)]) for b in borders)
        assert costliest(costs, [0, *np.cumsum(lengths)]) == pytest.approx(least)


def costliest(costs: list[float], borders: list[int]) -> float:
    return max(sum(costs[a:b]) for a, b in pairwise(borders))


def test_equal_modules_are_cut_evenly_whatever_the_noise_of_their_times() -> None:
    noise = np.random.default_rng(1).uniform(0.95, 1.05, size=8)
    assert partition(noise.tolist(), 2) == [4, 4]
    assert partition(noise.tolist(), 4) == [2, 2, 2, 2]
    assert partition([3.0, 1.0, 1.0, 1.0], 2) == [1, 3]


@pytest.mark.parametrize(
    ("placement", "processes", "training", "said"),
    [
        (Placement(2), 3, {}, "3 processes cannot form 2 equal replicas"),
        (Placement(0), 3, {}, "0 equal replicas"),
        (Placement(timeout=0.0), 2, {}, "a timeout of 0 s cannot be; give 1 to 1000000 s"),
        (Placement(timeout=float("inf")), 2, {}, "a timeout of inf s"),
        (Placement(2), 2, {}, r"data\.batch: 1 cannot be divided among 2"),
        (Placement(), 4, {"modules": 3}, r"training\.modules is 3, too few for a pipeline of 4"),
        (
            Placement(),
            2,
            {"overlap": 1},
            r"training\.overlap takes gradients from module to module",
        ),
        (Placement(), 2, {"polish": 5}, r"training\.polish is for one process; .*--polish 5"),
        (
            Placement(1, [1, 1, 1]),
            2,
            {"modules": 3},
            "a split of 1 1 1 does not give 3 modules to 2",
        ),
        (Placement(1, [3, 0]), 2, {"modules": 3}, "a split of 3 0"),
        (Placement(1, [2, 2]), 2, {"modules": 3}, "a split of 2 2"),
    ],
)
def test_what_does_not_fit_is_refused(
    placement: Placement, processes: int, training: dict[str, object], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        placement.check(tiny_recipe(Path("nowhere"), **training), processes)


def test_what_fits_is_not() -> None:
    Placement().check(tiny_recipe(Path("nowhere"), overlap=1), 1)
    Placement(1, [1, 2]).check(tiny_recipe(Path("nowhere"), modules=3), 2)
    recipe = tiny_recipe(Path("nowhere"), overlap=1)
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"batch": 4})})
    Placement(4).check(recipe, 4)
    with pytest.raises(BadInput, match="overlap"):
        Placement(2).check(recipe, 4)
