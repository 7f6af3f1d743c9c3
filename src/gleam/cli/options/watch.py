"""Options of `gleam watch`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Arguments:
    """Watch a run in the browser while it trains: losses of modules, validation, memory, time left.

    The page reads the run's event log and its pictures of validation; it is served on this machine
    alone (127.0.0.1) until Ctrl-C. A run that has ended can be looked at in the same way.

    Example: gleam watch runs/greedy
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Run folder."""
    port: int = 0
    """Port to serve at; 0 takes one that is free."""
    browser: bool = True
    """Open the browser; without it, only the address is said."""
