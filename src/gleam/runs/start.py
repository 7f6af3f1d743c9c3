"""`Start`: what adaptation starts from, a run's network or one of drawn weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gleam.data.example import Example
from gleam.data.kind import kind_of
from gleam.data.trained_on import TrainedOn
from gleam.networks import Unrolled
from gleam.recipe import Recipe, files
from gleam.runs.initial import initial
from gleam.runs.run import Run

SUFFIXES = (".yaml", ".yml")  # of recipes


@dataclass(frozen=True)
class Start:
    """A network that is to learn from scans.

    Attributes:
        place: a run's folder, the name of what ships, or a recipe.
        recipe: of the network.
        network: of the run; of a recipe as it would begin to train, with weights that are drawn
            unless it says `training.start`.
        run: whose weights go on; None where they are drawn.
        trained_on: record of a run; None of a recipe.
    """

    place: Path
    recipe: Recipe
    network: Unrolled
    run: Path | None
    trained_on: TrainedOn | None

    @classmethod
    def of(cls, place: Path) -> "Start":
        """Read a run or a recipe.

        Raises:
            BadInput: it is not there, or broken.
        """
        if place.suffix in SUFFIXES:
            recipe = files.load(place)
            return cls(place, recipe, initial(recipe), recipe.training.start, None)
        run = Run(place)
        return cls(place, run.recipe, run.network, place, run.trained_on)

    def volumes(self, examples: Sequence[Example]) -> Literal["whole", "slices"]:
        """Form in which volumes among the examples are taken; see `gleam.recipe.DataRecipe`."""
        if self.trained_on is None:
            return self.recipe.data.volumes
        slices = any(self.trained_on.takes_slices_of(kind_of(one)) for one in examples)
        return "slices" if slices else "whole"

    def check(self, example: Example, force: bool) -> list[str]:
        """Make sure that a scan is of a kind that a run was trained on; see `TrainedOn`."""
        if self.trained_on is None:
            return []
        return self.trained_on.check_kind(str(self.place), example, force)
