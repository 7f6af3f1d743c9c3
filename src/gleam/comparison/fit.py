"""The depth, or width, at which training a network takes no more than some memory."""

from collections.abc import Callable
from typing import Literal

from gleam.errors import BadInput
from gleam.recipe import Recipe
from gleam.search import largest


def largest_that_fits(
    recipe: Recipe, field: Literal["iterations", "width"], fits: Callable[[Recipe], bool]
) -> Recipe | None:
    """The recipe with the largest value of a field that fits, up to its own.

    Args:
        recipe: where to start from; any size fits it (see `gleam.comparison.plan.make`).
        field: of the network, or `width` of its regulariser.
        fits: whether a recipe's training fits; of smaller networks too, where it does.

    Returns:
        None where not even the smallest fits.

    Raises:
        BadInput: the width is another's network's own.
    """
    most = recipe.network.iterations if field == "iterations" else recipe.network.width
    if most is None:
        raise BadInput(
            f"compare: {recipe.network.build} knows its own width; let the scheme fit: iterations"
        )
    fewest = len(recipe.module_sizes()) if field == "iterations" else 1

    def at(value: int) -> Recipe:
        if field == "width":
            return recipe.changed(network={"regulariser": {"width": value}})
        return recipe.changed(network={"iterations": value})

    found = largest(lambda value: fits(at(value)), fewest, most)
    return None if found is None else at(found)
