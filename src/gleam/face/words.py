"""Messages are written for the command line; in Python, options are arguments. And what people give
in place of an argument."""

import operator
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gleam.errors import BadInput
from gleam.recipe import MaskRecipe

_NAMES = {"group": "measurement", "acceleration": "mask"}  # of options called otherwise everywhere


@contextmanager
def in_python(**names: str) -> Iterator[None]:
    """A context around what may raise `BadInput`: it says `force=True` for --force, `part=…` for
    --part.

    Args:
        names: of arguments, by the options that are called otherwise here.
    """
    try:
        yield
    except BadInput as error:
        text = as_arguments(str(error), **names)
        raise type(error)(text, *error.args[1:]) from None  # the caller's, and not the way to it


def as_arguments(text: str, **names: str) -> str:
    """A text in which options are arguments; see `in_python`."""

    def argument(option: re.Match[str]) -> str:
        name = option[1].replace("-", "_")
        value = "True" if name in ("force", "resume") else option[2] or "…"
        return f"{names.get(name, name)}={value}"

    def arguments(part: str) -> str:
        if part.startswith("`gleam "):  # a command, to be typed as it is
            return part
        part = re.sub(r"--trust (\S+)", r'trust=["\1"]', part)
        return re.sub(r"--([a-z][a-z-]*)(?: ('[^']*'))?", argument, part)

    names = _NAMES | names
    return "".join(map(arguments, re.split(r"(`[^`]*`)", text)))


def path_of(given: object, what: str) -> Path:
    """The path that somebody gives.

    Args:
        given: a path; what is none is refused.
        what: it is to be, for the message.

    Raises:
        BadInput: it is no path.
    """
    if isinstance(given, str | os.PathLike):
        return Path(given)
    made = " (gleam.from_array makes a scan of an array)" if hasattr(given, "shape") else ""
    raise BadInput(f"{what} is expected, not a {type(given).__name__}{made}")


def whole_numbers(given: Any, what: str) -> list[int]:
    """One whole number, or several; of any type that stands for such, NumPy's say.

    Raises:
        BadInput: it is something else.
    """
    with suppress(TypeError):
        return [operator.index(given)]
    try:
        return [operator.index(number) for number in given]
    except TypeError as error:
        raise BadInput(f"{what} is {given!r}; give a whole number, or several") from error


def checked_mask(mask: object) -> MaskRecipe | None:
    """A mask, if one is given.

    Raises:
        BadInput: it is something else.
    """
    if mask is None or isinstance(mask, MaskRecipe):
        return mask
    own = "; a pattern of your own goes with the scan: gleam.from_array(…, sampled=pattern)"
    raise BadInput(
        f"mask is a {type(mask).__name__}; give what gleam.mask makes, or none"
        + (own if hasattr(mask, "shape") else "")
    )
