"""Parts of recipes: fields that are checked together, and what is wrong with them in one line.

A part may hold others; a field is named by the path to it, as in training.modules.
"""

import reprlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeGuard, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from gleam.errors import BadInput
from gleam.words import nearest

P = TypeVar("P", bound="Part")

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]
# `~` is the user's home in a recipe, too.
FilePath = Annotated[Path, AfterValidator(Path.expanduser)]


class Part(BaseModel):
    """Fields with types, defaults and meanings; others are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    def changed(self: P, **changes: Any) -> P:
        """Another one, with other values of some fields.

        Args:
            changes: by field; of a part within, a mapping of those of its fields that change.

        Raises:
            BadInput: a field that does not exist, or a value that does not fit.
        """
        try:
            return self.model_validate(self._with(changes))
        except ValidationError as error:
            raise BadInput(first_problem(error, type(self))) from error

    def _with(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        values = dict(self)
        for name, value in changes.items():
            inner = values.get(name)
            if isinstance(inner, Part) and isinstance(value, Mapping):
                value = inner._with(value)
            values[name] = value
        return values


def first_problem(error: ValidationError, root: type[Part], path: tuple[str, ...] = ()) -> str:
    """One line on what is wrong with a recipe: a misspelt field before a misfitting value.

    Args:
        error: of checking a part.
        root: that part, or one that holds it.
        path: to the root.
    """
    # Of the types that a field may have, the one whose error lies deepest is the one meant.
    problem = min(error.errors(), key=lambda p: (p["type"] != "extra_forbidden", -len(p["loc"])))
    part, path = next(place for place in _places(root, path) if place[0].__name__ == error.title)
    inner: Any = part
    for step in problem["loc"]:
        if _is_part(inner):
            part, field = inner, inner.model_fields.get(str(step))
            inner = field.annotation if field else None
        elif get_origin(inner) is dict:
            inner = get_args(inner)[1]
        elif get_origin(inner) is tuple:
            inner = get_args(inner)[0]
        else:
            break  # what follows the field is pydantic's own: which of its types was tried
        path = (*path, str(step))
    name, message = ".".join(path), problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        return f"{name}: no such field; {nearest(path[-1], part.model_fields)}"
    if problem["type"] == "value_error":  # our own words
        return f"{name}: {message}" if name else message
    return f"{name}: {message} (got {reprlib.repr(problem['input'])})"


def _is_part(annotation: Any) -> TypeGuard[type[Part]]:
    return isinstance(annotation, type) and issubclass(annotation, Part)


def _places(
    part: type[Part], path: tuple[str, ...]
) -> Iterator[tuple[type[Part], tuple[str, ...]]]:
    """A part and those within, each with the path to it."""
    yield part, path
    for name, field in part.model_fields.items():
        if _is_part(field.annotation):
            yield from _places(field.annotation, (*path, name))
