"""What can be said to `gleam demo`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from gleam.cli.arguments import parse


@dataclass(frozen=True)
class Arguments:
    """Simulate scans, prepare them, train end-to-end and greedily at equal memory, compare.

    End-to-end, the memory holds two iterations; greedily, eight take no more of it. Both learn for
    equally long. Takes two minutes.

    Example: gleam demo --out demo
    """

    out: Path = Path("demo")
    """Folder for everything."""
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace an earlier demo that is there."""


def read(arguments: Sequence[str]) -> Arguments:
    """From the command line."""
    return parse(Arguments, "demo", arguments)
