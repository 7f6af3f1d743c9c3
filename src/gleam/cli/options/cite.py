"""Options of `gleam cite`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Arguments:
    """Print what to cite, in BibTeX: the software, and the works that a run rests on.

    Example: gleam cite runs/greedy >> paper.bib
    """

    run: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="RUN")] = None
    """Run folder; without one, the paper of greedy learning."""
