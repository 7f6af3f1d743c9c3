"""Options of `gleam report`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from gleam.cli.arguments import Device, Flag, Trust, parse
from gleam.cli.options.evaluate import masks_of
from gleam.errors import BadInput
from gleam.recipe import MaskRecipe


@dataclass(frozen=True)
class Arguments:
    """Make a report of runs, without computing again what is there.

    Without --data it says how they were trained. With it, their scores and images on these examples
    are beside those of zero filling, CG-SENSE and wavelets. What `gleam evaluate` or an earlier
    report left in the folder (results/, check.json) is taken from there.

    Example: gleam report runs/greedy runs/end-to-end --data prepared/test --scans scan-0003
    """

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN")]
    """Run folders; their names become the methods' names."""
    data: Path | None = None
    """Example files to score on: a folder or a file; by default the report is of the training."""
    scans: tuple[str, ...] = ()
    """Names of the scans to show; by default all of them, as far as there is room for pictures."""
    out: Path = Path("report")
    """Folder to write report.html to, and to look for results in."""
    device: Device = "auto"
    trust: Trust = ()
    force: Flag = False
    """Replace the report or tables that are there; and score runs on scans that they were trained
    on, and on other kinds of scans than those."""
    mask: MaskRecipe = field(default_factory=MaskRecipe)
    """Mask that scans are undersampled by; by default the one that the runs learnt with."""


def read(arguments: Sequence[str]) -> Arguments:
    """Read the command line; the mask that the runs learnt with is the default.

    Raises:
        BadInput: see `parse` and `masks_of`; or no run.
    """
    folders, mask = masks_of("report", arguments)
    if not folders:
        parse(Arguments, "report", arguments)  # --help, or what is wrong with them
        raise BadInput("report: name a run")
    a = parse(Arguments, "report", arguments, Arguments(runs=(), mask=mask))
    if a.runs != folders:
        raise BadInput("report: give the run folders first, before all options")
    return a
