"""Options of `gleam demo`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from gleam.cli.arguments import parse


@dataclass(frozen=True)
class Arguments:
    """Simulate scans, prepare them, train end-to-end and greedily at equal memory, compare.

    End-to-end training has memory for two iterations; greedy training fits eight of them into the
    same. Both learn for equally long. The demo takes two minutes.

    Example: gleam demo --out demo
    """

    out: Path = Path("demo")
    """Folder for everything that the demo writes."""
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace an earlier demo that is there."""


def read(arguments: Sequence[str]) -> Arguments:
    """Read the command line."""
    return parse(Arguments, "demo", arguments)
