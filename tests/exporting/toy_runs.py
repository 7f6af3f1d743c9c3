"""Runs that look trained: folders with a recipe, weights, and what they were trained on."""

from pathlib import Path

from tiny import trained_on
from toys import toy_network

from gleam.networks.weights import weights_of
from gleam.recipe import Recipe
from gleam.runs import folder as run_folder

OF_NETWORK = {"cg_tolerance", "cg_steps", "first_image"}
SCANS = {"a" * 64: "jane-doe-2026", "b" * 64: "john-roe-2026"}


def toy_run(
    folder: Path, family: str = "modl", iterations: int = 2, data: Path | None = None, **fields
) -> Path:
    network = toy_network(family, iterations, **fields)
    of_regulariser = {"width": 8, "blocks": 1}
    of_network = {name: value for name, value in fields.items() if name in OF_NETWORK}
    recipe = Recipe.model_validate(
        {
            "data": {"train": data or folder / "secret"},
            "mask": {"acceleration": 1.6},
            "network": {
                "family": family,
                "iterations": iterations,
                "regulariser": of_regulariser,
                **of_network,
            },
            "training": {"modules": iterations},
        }
    )
    known = trained_on(recipe).model_copy(update={"training": SCANS})
    run_folder.begin(folder, recipe, "", known)
    run_folder.save_model(folder, weights_of(network))
    return folder
