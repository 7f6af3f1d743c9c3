"""Messages are written for the command line; in Python, options are arguments."""

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from gleam.errors import BadInput

P = ParamSpec("P")
T = TypeVar("T")


def in_python(function: Callable[P, T]) -> Callable[P, T]:
    """The same function, whose `BadInput` says `force=True` for --force, `part=…` for --part."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except BadInput as error:
            error.args = (re.sub(r"--([a-z][a-z-]*)", _argument, str(error)), *error.args[1:])
            raise error.with_traceback(None) from None  # it is the caller's, and ends here

    return called


def _argument(option: re.Match[str]) -> str:
    name = option[1].replace("-", "_")
    return f"{name}=True" if name in ("force", "resume") else f"{name}=…"
