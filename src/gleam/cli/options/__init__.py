"""Options of each verb: one file per verb.

They import little, as a help text is to appear at once. Begin at `train`.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from gleam.cli.arguments import parse


def read(verb: str, arguments: Sequence[str]) -> Any:
    """The options of a verb, from the command line: the `Arguments` of its file.

    A file whose defaults are in another one, a recipe or a run, has a function `read` of its own.

    Raises:
        BadInput: see `parse`.
    """
    options = import_module(f"gleam.cli.options.{verb}")
    own = getattr(options, "read", None)
    return parse(options.Arguments, verb, arguments) if own is None else own(arguments)
