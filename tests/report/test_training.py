import pytest

from gleam.recipe import Recipe
from gleam.report.training import describe


@pytest.mark.parametrize(
    ("iterations", "training", "words"),
    [
        (1, {"modules": 1}, "MoDL, end-to-end, 1 iteration"),
        (4, {"modules": 1, "storage": "checkpoint"}, "MoDL, end-to-end, 4 iterations, checkpoint"),
        (2, {"modules": 2}, "MoDL, greedy, 2 modules of 1 iteration"),
        (4, {"modules": 2}, "MoDL, greedy, 2 modules of 2 iterations"),
        (3, {"modules": [2, 1]}, "MoDL, greedy, 2 modules of 2+1 iterations"),
    ],
)
def test_a_scheme_in_words(iterations: int, training: dict, words: str) -> None:
    recipe = Recipe().changed(network={"iterations": iterations}, training=training)
    assert describe(recipe) == words
