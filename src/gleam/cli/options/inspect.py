"""Options of `gleam inspect`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from gleam.cli.arguments import LayoutArguments, parse


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
    noise: Path | None = None
    """Noise of the same coils and bandwidth, to whiten the coils with instead of the scan's own, to
    a standard deviation of 1: an array (coil, samples) in .npy, .cfl or .mat, or a scan file, of
    which its noise scan is taken, or else all samples."""
    group: str | None = None
    """Measurement to read, where a file holds several: dataset_1, say, of ISMRMRD, or 1 of twix; by
    default the last."""
    array: Annotated[LayoutArguments, tyro.conf.arg(name="")] = field(
        default_factory=LayoutArguments
    )
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace a picture that is there."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print everything as JSON, one line per scan."""


def read(arguments: Sequence[str]) -> Arguments:
    """Read the command line."""
    return parse(Arguments, "inspect", arguments)
