"""Where progress is shown: on stderr, so that stdout holds results alone."""

import sys
from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")

console = Console(stderr=True)


def warn(name: str, warnings: Iterable[str]) -> None:
    """Say each on a line of its own, as `Scan.warnings` has them."""
    for warning in warnings:
        print(f"gleam: warning: {name}: {warning}", file=sys.stderr)


def followed(work: Iterable[T], doing: str, total: int) -> Iterable[T]:
    """The same items, with a progress bar where somebody watches."""
    quiet = not console.is_terminal
    return track(work, doing, total, console=console, transient=True, disable=quiet)
