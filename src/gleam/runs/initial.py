"""Weights that training starts from: drawn, or those of an earlier run."""

from torch import nn

from gleam.errors import BadInput
from gleam.files import sha256_of
from gleam.networks import Unrolled, build
from gleam.networks.weights import fill
from gleam.recipe import Recipe
from gleam.runs import folder as run_folder
from gleam.runs.shipped import located
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
    sources = _sources(recipe)

    def placed(number: int, iteration: nn.Module) -> None:
        if start is not None and number < len(sources):
            try:
                fill(iteration, run_folder.weights_of_iteration(start, sources[number]))
            except ValueError as error:
                raise BadInput(f"training.start: {start}: is of another kind of network") from error
        if idle is not None:
            idle.take(iteration)

    return build(recipe.network, recipe.seed, recipe.training.frozen, placed)


def _sources(recipe: Recipe) -> list[int]:
    """The iteration of the earlier run that each iteration begins as, from the first on.

    Raises:
        BadInput: they do not fit, or a later version made it.
    """
    start = recipe.training.start
    if start is None:
        return []
    begun = run_folder.recipe_of_network(start)
    run_folder.read_trained_on(start)  # of a later version, the weights may mean something else
    iterations, wanted = begun.network.iterations, recipe.network.iterations
    text = f"training.start: {start}: is of {iterations} iterations"
    if iterations > wanted:
        raise BadInput(f"{text}, the recipe of {wanted}; give as many or more")
    if recipe.training.frozen > iterations:
        raise BadInput(f"{text}, so no more can be frozen; lower training.frozen")
    copies = wanted - iterations if recipe.training.copies else 0
    return [*range(iterations), *[iterations - 1] * copies]


def grown_from(recipe: Recipe) -> int:
    """Number of iterations that the network had before others were appended; 0 if none are."""
    t = recipe.training
    if t.start is None or not t.frozen:
        return 0
    before = run_folder.recipe_of_network(t.start).network.iterations
    return t.frozen if before < recipe.network.iterations else 0


def fingerprint_of_start(recipe: Recipe) -> str:
    """Fingerprint of the earlier run's weights; empty where they are drawn."""
    if recipe.training.start is None:
        return ""
    return sha256_of(located(recipe.training.start) / run_folder.MODEL)
