"""Where training starts: from weights that are drawn, or from those of an earlier run."""

from gleam.errors import BadInput
from gleam.files import sha256_of
from gleam.networks import Unrolled, build
from gleam.networks.weights import fill, weights_of
from gleam.recipe import Recipe
from gleam.runs.run import Run


def initial(recipe: Recipe) -> Unrolled:
    """The network as it is before the first step.

    Raises:
        BadInput: the earlier run is not there or broken, or is not the beginning of this network.
    """
    network = build(recipe.network, recipe.seed, recipe.training.frozen)
    start = recipe.training.start
    if start is None:
        return network
    earlier = Run(start)
    weights, iterations = earlier.network.iterations, earlier.recipe.network.iterations
    said = f"training.start: {start}: is of {iterations} iterations"
    if iterations > recipe.network.iterations:
        raise BadInput(f"{said}, the recipe of {recipe.network.iterations}; give as many or more")
    if recipe.training.frozen > iterations:
        raise BadInput(f"{said}, so no more can be frozen; lower training.frozen")
    try:
        for mine, theirs in zip(network.iterations, weights, strict=False):
            fill(mine, weights_of(theirs))
    except ValueError as error:
        raise BadInput(f"training.start: {start}: is of another kind of network") from error
    return network


def fingerprint_of_start(recipe: Recipe) -> str:
    """Of the earlier run's weights; empty where they are drawn."""
    if recipe.training.start is None:
        return ""
    return sha256_of(recipe.training.start / "model.safetensors")
