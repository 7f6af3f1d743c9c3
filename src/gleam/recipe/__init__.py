"""The recipe: one YAML file that says a whole experiment. Every field has a type and a default.

A field that does not exist is refused with the nearest name; `train` writes the resolved recipe
into the run folder, so a run says exactly what it is. A recipe never changes; `Recipe.changed`
makes another one, and checks it like one that was read. It imports nothing of the other rooms;
formats, physics and simulation do not import it. Begin at `schema`.
"""

from gleam.recipe.data import OF_ONE_SCAN, DataRecipe, HoldoutRecipe, MaskRecipe
from gleam.recipe.files import load, parse, read, save
from gleam.recipe.network import NetworkRecipe, RegulariserRecipe
from gleam.recipe.part import Count, FilePath, Part, Positive, Share, first_problem
from gleam.recipe.schema import (
    BY_ITSELF,
    END_TO_END,
    INTERPOLATION,
    STEPS,
    Recipe,
    StageRecipe,
    TrainingRecipe,
)

__all__ = [
    "BY_ITSELF",
    "END_TO_END",
    "INTERPOLATION",
    "OF_ONE_SCAN",
    "STEPS",
    "Count",
    "DataRecipe",
    "FilePath",
    "HoldoutRecipe",
    "MaskRecipe",
    "NetworkRecipe",
    "Part",
    "Positive",
    "Recipe",
    "RegulariserRecipe",
    "Share",
    "StageRecipe",
    "TrainingRecipe",
    "first_problem",
    "load",
    "parse",
    "read",
    "save",
]
