from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_recipe

from gleam.errors import BadInput
from gleam.parallel.placement import Spread, cut


def test_no_other_cut_is_better() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        costs = random.uniform(0, 1, size=random.integers(1, 8)).tolist()
        parts = int(random.integers(1, len(costs) + 1))
        lengths = cut(costs, parts)
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
    assert cut(noise.tolist(), 2) == [4, 4]
    assert cut(noise.tolist(), 4) == [2, 2, 2, 2]
    assert cut([3.0, 1.0, 1.0, 1.0], 2) == [1, 3]


@pytest.mark.parametrize(
    ("spread", "processes", "training", "said"),
    [
        (Spread(2), 3, {}, "3 processes cannot form 2 equal replicas"),
        (Spread(0), 3, {}, "0 equal replicas"),
        (Spread(timeout=0.0), 2, {}, "a timeout of 0 s cannot be; give 1 to 1000000 s"),
        (Spread(timeout=float("inf")), 2, {}, "a timeout of inf s"),
        (Spread(2), 2, {}, r"data\.batch: 1 cannot be divided among 2"),
        (Spread(), 4, {"modules": 3}, r"training\.modules is 3, too few for a pipeline of 4"),
        (Spread(), 2, {"overlap": 1}, r"training\.overlap takes gradients from module to module"),
        (Spread(), 2, {"polish": 5}, r"training\.polish is for one process; .*--polish 5"),
        (Spread(1, [1, 1, 1]), 2, {"modules": 3}, "a split of 1 1 1 does not give 3 modules to 2"),
        (Spread(1, [3, 0]), 2, {"modules": 3}, "a split of 3 0"),
        (Spread(1, [2, 2]), 2, {"modules": 3}, "a split of 2 2"),
    ],
)
def test_what_does_not_fit_is_refused(
    spread: Spread, processes: int, training: dict[str, object], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        spread.check(tiny_recipe(Path("nowhere"), **training), processes)


def test_what_fits_is_not() -> None:
    Spread().check(tiny_recipe(Path("nowhere"), overlap=1), 1)
    Spread(1, [1, 2]).check(tiny_recipe(Path("nowhere"), modules=3), 2)
    recipe = tiny_recipe(Path("nowhere"), overlap=1)
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"batch": 4})})
    Spread(4).check(recipe, 4)
    with pytest.raises(BadInput, match="overlap"):
        Spread(2).check(recipe, 4)
