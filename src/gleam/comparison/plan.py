"""The plan of a comparison: a recipe with a part `compare`, which lists schemes by what they change
in it.

A scheme is a recipe, trained for as many steps as the one it is compared `against`, or for as long;
and it may be made as deep, or as wide, as the other's memory allows.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from gleam import recipe as recipes
from gleam.errors import BadInput
from gleam.files import replacing
from gleam.recipe import (
    BY_ITSELF,
    END_TO_END,
    Count,
    FilePath,
    Part,
    Positive,
    Recipe,
    first_problem,
)
from gleam.words import nearest


class SchemeRecipe(Part):
    """One scheme: fields of the recipe that it changes, and what it is given."""

    network: dict[str, Any] = Field(default={})
    """Fields of the recipe's network that it changes."""
    training: dict[str, Any] = Field(default={})
    """Fields of its training that it changes."""
    budget: Literal["steps", "time"] = "steps"
    """Length of its training: as many steps as the scheme compared against, or as many as take as
    long as that one's."""
    fit: Literal["iterations", "width"] | None = None
    """Field to lower until training takes no more memory than that of the scheme compared against:
    a shallow or a narrow network. It needs `modules` as a number, which fits any depth, and no
    `start`, whose network has a size already."""
    seeds: Count | None = None
    """Number of networks trained of it, where it is fewer than of the others, for what is tried
    once."""
    learning_rates: tuple[Positive, ...] | None = None
    """Learning rates to choose from, instead of the comparison's."""


class CompareRecipe(Part):
    """The schemes to compare, and how often each is trained."""

    against: str = ""
    """The scheme whose memory and time are the others' budget; by default the first."""
    seeds: Count = 1
    """Number of networks trained of each scheme, from the recipe's seed upwards."""
    learning_rates: tuple[Positive, ...] = ()
    """Learning rates to choose from, for each scheme by itself: on the first seed, at a quarter of
    the steps, by validation PSNR. Without any, every scheme trains at its recipe's rate."""
    test: dict[str, FilePath] = Field(default={})
    """Folders of example files to score on, by the name that the report gives them."""
    schemes: dict[str, SchemeRecipe] = Field(default={}, min_length=1)
    """Schemes to compare, by the names that the report gives them."""

    @model_validator(mode="after")
    def _known(self) -> "CompareRecipe":
        if self.against and self.against not in self.schemes:
            raise ValueError(f"against: {self.against}; {nearest(self.against, self.schemes)}")
        slugs = [slug(name) for name in self.schemes]
        for name in self.schemes:
            if slugs.count(slug(name)) > 1:
                raise ValueError(f"schemes: two are named like {name}; give each its own name")
        return self


class Plan(Part):
    """A comparison, its schemes made into recipes.

    Attributes:
        compare: what to compare.
        recipes: of each scheme, by name; the one compared against comes first.
    """

    compare: CompareRecipe
    recipes: dict[str, Recipe]

    @property
    def against(self) -> str:
        """The scheme whose memory and time are the others' budget."""
        return next(iter(self.recipes))

    @property
    def base(self) -> Recipe:
        """Its recipe."""
        return self.recipes[self.against]

    def seeds(self, name: str) -> range:
        """Seeds of a scheme's networks."""
        most = self.compare.seeds
        count = min(most, self.compare.schemes[name].seeds or most)
        return range(self.base.seed, self.base.seed + count)


# Rivals are trained whole and from the beginning, whatever the recipe does.
_WHOLE: dict[str, Any] = BY_ITSELF | END_TO_END
_WHOLE |= {"storage": "store", "offload_to": None, "idle": "device", "maps": "device"}
_CHECKPOINT = {"training": _WHOLE | {"storage": "checkpoint"}, "budget": "time"}
_REVERSIBLE = {
    "network": {"family": "reversible", "regulariser": {"inputs": (), "coupling": False}},
    "training": _WHOLE | {"storage": "invert"},
    "budget": "time",
}


def rivals(recipe: Recipe) -> dict[str, Any]:
    """Schemes that a recipe is compared with if it names none: itself first, then the others.

    A greedy network meets end-to-end training at equal steps; checkpointing and the reversible
    network for as long; shallow and narrow networks of equal memory. End-to-end training meets
    greedy modules of two iterations, checkpointing and the reversible network. Of other people's
    networks (family python) there is no reversible or narrow one.
    """
    rest: dict[str, Any] = {"checkpoint": _CHECKPOINT}
    sizes = [("shallow", "iterations")]
    if recipe.network.width is not None:  # of other people's networks, there is only the one
        rest["reversible"] = _REVERSIBLE
        sizes.append(("narrow", "width"))
    if recipe.training.modules == 1:
        pairs = _WHOLE | {"modules": math.ceil(recipe.network.iterations / 2)}
        return {"end-to-end": {}, "greedy": {"training": pairs}} | rest
    smaller = {name: {"training": _WHOLE, "budget": "time", "fit": field} for name, field in sizes}
    return {"greedy": {}, "end-to-end": {"training": _WHOLE}} | rest | smaller


def read(path: Path) -> tuple[Recipe, CompareRecipe]:
    """A recipe file, and what it says is to be compared.

    Without a part `compare`, the recipe as it is meets its rivals (see `rivals`).

    Raises:
        BadInput: see `gleam.recipe.load`.
    """
    values = dict(recipes.read(path))
    if "recipes" in values:
        raise BadInput(f"{path}: is what a comparison wrote down; give the recipe it was made of")
    part = values.pop("compare", None)
    base = recipes.parse(values, str(path))
    if part is None:
        part = {"schemes": rivals(base)}
    try:
        return base, CompareRecipe.model_validate(part)
    except ValidationError as error:
        raise BadInput(f"{path}: {first_problem(error, CompareRecipe, ('compare',))}") from error


def make(base: Recipe, compare: CompareRecipe, only: Sequence[str] = ()) -> Plan:
    """Make recipes of the schemes.

    Args:
        base: what they change.
        compare: the schemes.
        only: names of those to keep; all by default. The one compared against stays.

    Raises:
        BadInput: a scheme that is not there, or does not fit the recipe.
    """
    for name in only:
        if name not in compare.schemes:
            raise BadInput(f"{name}: no such scheme; {nearest(name, compare.schemes)}")
    against = compare.against or next(iter(compare.schemes))
    kept = [name for name in compare.schemes if name != against and (not only or name in only)]
    made = {name: _recipe(base, compare.schemes[name], name) for name in [against, *kept]}
    if len({recipe.network.sets for recipe in made.values()}) > 1:
        raise BadInput("compare.schemes: network.sets differs; compare them apart")
    first = compare.schemes[against]
    if first.fit is not None or first.budget == "time":
        raise BadInput(f"compare.schemes.{against}: sets the budget, so it has none itself")
    for name, recipe in made.items():
        if recipe.training.stages:
            raise BadInput(
                f"compare.schemes.{name}: training.stages are trained by gleam train; compare "
                "takes schemes of one stage"
            )
        if recipe.training.polish and compare.schemes[name].budget == "time":
            raise BadInput(f"compare.schemes.{name}: training.polish goes with budget: steps only")
    return Plan(compare=compare, recipes=made)


def save(plan: Plan, path: Path) -> None:
    """Write the comparison, every field said."""
    values = plan.model_dump(mode="json")
    with replacing(path) as temporary:
        temporary.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def slug(name: str) -> str:
    """A scheme's name as a folder's."""
    kept = "".join(letter if letter.isalnum() else "-" for letter in name.lower())
    return "-".join(part for part in kept.split("-") if part)


def _recipe(base: Recipe, scheme: SchemeRecipe, name: str) -> Recipe:
    """The base recipe as a scheme changes it."""
    try:
        recipe = base.changed(network=scheme.network, training=scheme.training)
    except BadInput as error:
        raise BadInput(f"compare.schemes.{name}: {error}") from error
    t, fit = recipe.training, f"compare.schemes.{name}.fit: {scheme.fit}"
    if t.minutes is not None:
        raise BadInput(
            f"compare.schemes.{name}: training.minutes: {t.minutes:g}: a comparison counts steps; "
            "say training.steps, and budget: time for a scheme that takes as long as another"
        )
    if scheme.fit is not None and t.start is not None:
        raise BadInput(
            f"{fit} makes the network smaller, but training.start: {t.start} is of one size; "
            "leave out one of the two"
        )
    if scheme.fit == "iterations" and isinstance(t.modules, list):
        raise BadInput(
            f"{fit} makes the network shallower, but training.modules {t.modules} fit "
            f"{recipe.network.iterations} iterations only; give the number of modules instead"
        )
    return recipe
