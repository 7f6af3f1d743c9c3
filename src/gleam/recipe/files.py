"""Recipe files: reading and writing them."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from gleam.errors import BadInput
from gleam.files import replacing
from gleam.recipe.part import first_problem
from gleam.recipe.schema import Recipe


def load(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        BadInput: the file cannot be read, is not YAML, or has a field that does not exist or a
            value that does not fit; one line naming file, field, value and the nearest name.
    """
    values = read(path)
    if "compare" in values:
        raise BadInput(
            f"{path}: says what to compare, which a run does not; run it with: gleam compare "
            f"{path}, or leave its part `compare` out"
        )
    return parse(values, str(path))


def read(path: Path) -> dict[Any, Any]:
    """The fields of a recipe file, not checked yet.

    Raises:
        BadInput: the file cannot be read, or is not a YAML mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise BadInput(f"{path}: cannot be read as a recipe ({error.strerror})") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # dates and depth are not YAML's
        raise BadInput(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise BadInput(f"{path}: a recipe is a mapping of fields, not a {type(values).__name__}")
    return values


def parse(values: dict[Any, Any], where: str) -> Recipe:
    """A recipe from its fields; `where` names their source in errors (see `load`)."""
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise BadInput(f"{where}: {first_problem(error, Recipe)}") from error


def save(recipe: Recipe, path: Path) -> None:
    """Write the recipe with every field said."""
    values = recipe.model_dump(mode="json")
    with replacing(path) as temporary:
        temporary.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
