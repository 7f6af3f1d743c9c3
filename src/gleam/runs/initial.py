"""Where training starts: from weights that are drawn, or from those of an earlier run."""

from torch import nn

from gleam.errors import BadInput
from gleam.files import sha256_of
from gleam.networks import Unrolled, build
from gleam.networks.weights import fill
from gleam.recipe import Recipe
from gleam.runs import folder as run_folder
from gleam.training.idle import Idle


def initial(recipe: Recipe, idle: Idle | None = None) -> Unrolled:
    """The network as it is before the first step, made iteration by iteration.

    Args:
        recipe: of the network.
        idle: takes each iteration in before the next one is made.

    Raises:
        BadInput: the earlier run is not there or broken, or is not the beginning of this network.
    """
    start = recipe.training.start
    earlier = 0 if start is None else _checked(recipe)

    def placed(number: int, iteration: nn.Module) -> None:
        if start is not None and number < earlier:
            try:
                fill(iteration, run_folder.weights_of_iteration(start, number))
            except ValueError as error:
                raise BadInput(f"training.start: {start}: is of another kind of network") from error
        if idle is not None:
            idle.take(iteration)

    return build(recipe.network, recipe.seed, recipe.training.frozen, placed)


def _checked(recipe: Recipe) -> int:
    """How many iterations the earlier run has.

    Raises:
        BadInput: they do not fit, or a later version made it.
    """
    start = recipe.training.start
    assert start is not None
    iterations = run_folder.recipe_of_network(start).network.iterations
    run_folder.read_trained_on(start)  # of a later version, the weights may mean something else
    said = f"training.start: {start}: is of {iterations} iterations"
    if iterations > recipe.network.iterations:
        raise BadInput(f"{said}, the recipe of {recipe.network.iterations}; give as many or more")
    if recipe.training.frozen > iterations:
        raise BadInput(f"{said}, so no more can be frozen; lower training.frozen")
    return iterations


def grown_from(recipe: Recipe) -> int:
    """How many iterations the network had before others were appended; 0 if none are."""
    t = recipe.training
    if t.start is None or not t.frozen:
        return 0
    before = run_folder.recipe_of_network(t.start).network.iterations
    return t.frozen if before < recipe.network.iterations else 0


def fingerprint_of_start(recipe: Recipe) -> str:
    """Of the earlier run's weights; empty where they are drawn."""
    if recipe.training.start is None:
        return ""
    return sha256_of(recipe.training.start / "model.safetensors")
