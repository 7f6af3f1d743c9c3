import pytest

from gleam.comparison.fit import largest_that_fits
from gleam.recipe import Recipe


@pytest.mark.parametrize("most", [1, 2, 7, 15, 16, 99])
def test_it_is_as_deep_as_fits(most: int) -> None:
    tried = []

    def fits(recipe: Recipe) -> bool:
        tried.append(recipe.network.iterations)
        return recipe.network.iterations <= most

    recipe = Recipe.model_validate({"training": {"modules": 1}})
    found = largest_that_fits(recipe, "iterations", fits)
    assert found is not None
    assert found.network.iterations == min(most, 16)
    assert len(tried) <= 5
    assert found.network.regulariser == recipe.network.regulariser


def test_it_is_as_wide_as_fits() -> None:
    found = largest_that_fits(Recipe(), "width", lambda r: r.network.regulariser.width <= 11)
    assert found is not None
    assert found.network.regulariser.width == 11
    assert found.network.iterations == 16


def test_nothing_may_fit() -> None:
    assert largest_that_fits(Recipe(), "width", lambda r: False) is None


def test_a_module_keeps_an_iteration() -> None:
    recipe = Recipe.model_validate({"training": {"modules": 4}})
    assert largest_that_fits(recipe, "iterations", lambda r: r.network.iterations < 4) is None
    found = largest_that_fits(recipe, "iterations", lambda r: r.network.iterations < 6)
    assert found is not None
    assert found.module_sizes() == [2, 1, 1, 1]
