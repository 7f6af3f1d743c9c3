"""Options of `gleam demo`."""

from dataclasses import dataclass
from pathlib import Path

from gleam.cli.arguments import Flag


@dataclass(frozen=True)
class Arguments:
    """Simulate scans, prepare them, train end-to-end and greedily at equal memory, compare.

    End-to-end training has memory for two iterations; greedy training fits eight of them into the
    same. Both learn for equally long. The demo takes two minutes.

    Example: gleam demo --out demo
    """

    out: Path = Path("demo")
    """Folder for everything that the demo writes."""
    force: Flag = False
    """Replace an earlier demo that is there."""
