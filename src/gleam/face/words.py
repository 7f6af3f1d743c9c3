"""Messages are written for the command line; in Python, options are arguments."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from gleam.errors import BadInput


@contextmanager
def in_python() -> Iterator[None]:
    """A context around what may raise `BadInput`: it says `force=True` for --force, `part=…` for
    --part."""
    try:
        yield
    except BadInput as error:
        text = re.sub(r"--trust (\S+)", r'trust=["\1"]', str(error))
        text = re.sub(r"--([a-z][a-z-]*)", _argument, text)
        raise type(error)(text, *error.args[1:]) from None  # the caller's, and not the way to it


def _argument(option: re.Match[str]) -> str:
    name = option[1].replace("-", "_")
    return f"{name}=True" if name in ("force", "resume") else f"{name}=…"
