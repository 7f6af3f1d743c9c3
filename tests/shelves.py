"""A shelf with a network that ships, small and untrained."""

from pathlib import Path

import torch
from tiny import tiny_recipe, trained_on

from gleam.exporting.folder import shared
from gleam.networks import build
from gleam.networks.weights import weights_of
from gleam.recipe import Recipe
from gleam.runs import folder as run_folder

NAME = "gleam-tiny"


def put(shelf: Path, spoilt: bool = False, name: str = NAME) -> Recipe:
    """Have it on the shelf: data consistency as an untrained network has it, or spoilt by a
    regulariser of large weights."""
    recipe = shared(tiny_recipe(Path("examples")))
    run_folder.begin(shelf / name, recipe, "", trained_on(recipe), force=True)
    weights = weights_of(build(recipe.network, recipe.seed))
    if spoilt:
        weights = {key: torch.full_like(weight, 0.3) for key, weight in weights.items()}
    halves = {key: weight.half() for key, weight in weights.items()}
    run_folder.save_model(shelf / name, halves)
    return recipe
