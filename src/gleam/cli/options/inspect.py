"""Options of `gleam inspect`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from gleam.cli.arguments import Flag, Group, LayoutArguments, NoiseFile


@dataclass(frozen=True)
class Arguments:
    """Say what a scan holds and what prepare would make of it, or what is in an example file.

    The whole file is read. A terminal also shows the middle slice, a line over time of a series or
    three planes of a volume, and the samples of k-space that were acquired.

    Example: gleam inspect scan.h5 -o scan.png
    """

    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    """Scan file, or example file of `gleam prepare`."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """Picture of the images, and the sampling beside them, as a .png file; of several scans
    NAME-PART.png each."""
    part: str | None = None
    """Name of one scan, where a file holds several; by default all of them."""
    reference: Path | None = None
    """Scan file to calibrate coils from, as prepare takes it."""
    noise: NoiseFile = None
    group: Group = None
    array: Annotated[LayoutArguments, tyro.conf.arg(name="")] = field(
        default_factory=LayoutArguments
    )
    force: Flag = False
    """Replace a picture that is there."""
    json: Flag = False
    """Print everything as JSON, one line per scan."""
