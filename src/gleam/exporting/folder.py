"""Writing a network as a folder: weights, recipe, and a card that says what it is for.

It is a run's folder without what training left there, so `gleam reconstruct` and all else that
takes a run takes it. Neither paths nor names of scans leave with it.
"""

from pathlib import Path
from typing import Any

from gleam import recipe as recipes
from gleam.exporting.card import card
from gleam.files import make_folder, replacing
from gleam.networks import Unrolled
from gleam.networks.weights import weights_of
from gleam.recipe import BY_ITSELF, DataRecipe, Recipe
from gleam.reconstruction.exported import Facts
from gleam.runs import folder as run_folder

CARD = "README.md"


def write(run: Path, to: Path, recipe: Recipe, network: Unrolled, facts: Facts) -> None:
    """Write the folder.

    Args:
        run: the folder of the run.
        to: the folder to make; what is in it is replaced.
        recipe: of the network.
        network: it.
        facts: about it.
    """
    with replacing(to) as temporary:
        make_folder(temporary)
        recipes.save(shared(recipe), temporary / "recipe.yaml")
        run_folder.write_trained_on(temporary, facts.trained_on)
        (temporary / CARD).write_text(
            card(recipe, network, facts, run_folder.read_summary(run)), encoding="utf-8"
        )
        run_folder.save_model(temporary, weights_of(network))


def shared(recipe: Recipe) -> Recipe:
    """A recipe without paths of the machine that it was trained on."""
    sizes, frozen = recipe.module_sizes(), recipe.training.frozen
    training: dict[str, Any] = BY_ITSELF | {
        "modules": [frozen, *sizes] if frozen else sizes,
        "offload_to": None,
        "idle": "device",
    }
    if frozen:
        training |= {"overlap": 0, "loss_weights": "flat"}
    data = {"train": DataRecipe().train, "validation": None}
    return recipe.changed(training=training, data=data)
