"""`Run`: what a recipe trained, read from its folder."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from gleam.data.trained_on import TrainedOn
from gleam.errors import BadInput
from gleam.networks import Unrolled, build
from gleam.networks.weights import fill
from gleam.runs import folder as run_folder
from gleam.runs.folder import MODEL, Row
from gleam.runs.shipped import located


class Run:
    """A run's folder, opened; it stands wherever the folder's path does.

    Args:
        folder: of the run, or the name of what ships.

    Attributes:
        folder: of the run.
        recipe: of its network (see `recipe_of_network`); as it was begun, while there is none yet.

    Raises:
        BadInput: the folder is no run, or its files are broken.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        begun = not (located(self.folder) / MODEL).is_file()
        self.recipe = (run_folder.load_recipe if begun else run_folder.recipe_of_network)(
            self.folder
        )

    @cached_property
    def network(self) -> Unrolled:
        """The trained network, on the CPU, ready for inference.

        Raises:
            BadInput: it is not there yet, its files are broken or do not fit each other, or a later
                version made it.
        """
        recipe, path = run_folder.recipe_of_network(self.folder), located(self.folder) / MODEL
        run_folder.read_trained_on(
            self.folder
        )  # of a later version, the weights may mean something else
        network = build(recipe.network, recipe.seed)
        try:
            fill(network, load_file(path))
        except (OSError, SafetensorError, RuntimeError, ValueError) as error:
            raise BadInput(f"{path}: is broken or of another network than recipe.yaml") from error
        return network.eval().requires_grad_(False)

    @property
    def trained_on(self) -> TrainedOn:
        """Record of the data that it has learnt from."""
        return run_folder.read_trained_on(self.folder)

    @property
    def metrics(self) -> list[Row]:
        """Numbers that were recorded: `loss` of a module, or `psnr` after an iteration, at a
        step."""
        return run_folder.read_metrics(self.folder)

    @property
    def summary(self) -> dict[str, Any]:
        """Summary of training: steps, seconds, memory, best validation; empty until it ends."""
        return run_folder.read_summary(self.folder)

    def __fspath__(self) -> str:
        return str(self.folder)
