"""Parsing a verb's arguments, with every mistake said in one line."""

import io
import re
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import TypeVar, cast

import tyro
from pydantic import ValidationError

from gleam.errors import BadInput
from gleam.recipe import first_problem, nearest

T = TypeVar("T")


def parse(kind: type[T], verb: str, arguments: Sequence[str], default: T | None = None) -> T:
    """The verb's arguments as `kind`, a dataclass; a nested recipe is checked as a whole.

    Args:
        kind: the dataclass.
        verb: for messages.
        arguments: from the command line.
        default: what holds where nothing is said; required fields are then no longer required.

    Raises:
        BadInput: an option that does not exist or is missing, a value that cannot be read, or
            recipe fields that do not fit each other.
        SystemExit: 0 after --help.
    """
    prog, known = f"gleam {verb}", cast(T, tyro.MISSING_NONPROP) if default is None else default
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            parsed, unknown = tyro.cli(
                kind, prog=prog, args=list(arguments), default=known, return_unknown_args=True
            )
    except ValidationError as error:
        raise BadInput(f"{verb}: {first_problem(error)}") from error
    except SystemExit as ended:
        if not ended.code:
            raise
        raise BadInput(f"{verb}: {_one_line(said.getvalue())}") from ended
    if unknown:
        name = unknown[0].split("=")[0]
        parser = tyro.extras.get_parser(kind, prog=prog, default=known)
        flags = [flag for flag in parser._option_string_actions if flag.startswith("--")]
        raise BadInput(f"{verb}: {name}: no such option; {nearest(name, flags)}")
    return parsed


def _one_line(box: str) -> str:
    """What tyro says in a box of several lines, without the box and its last paragraph."""
    lines = [re.sub(r"[│╭╮╰╯─]+", " ", line).strip() for line in box.splitlines()]
    text = " ".join(line for line in lines if line)
    text = re.sub(r" For (full helptext|further information).*", "", text)
    return re.sub(r"\s+", " ", text).strip()
