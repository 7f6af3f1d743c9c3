"""Options of `gleam check`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from gleam.cli.arguments import Device, Flag, Trust
from gleam.cli.options.scan import ScanArguments


@dataclass(frozen=True)
class Arguments:
    """Say how far images of a scan can be trusted, without knowing the truth.

    A share of the acquired samples outside the centre is held out, every method reconstructs from
    the rest, and its image must predict them. Nothing that is judged has seen what is held out.

    Example: gleam check scan.h5 runs/greedy wavelet --map disagreement.png
    """

    scan: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SCAN")]
    """Scan file, as `gleam reconstruct` takes it."""
    methods: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="METHOD")]
    """Run folders, what `gleam export` wrote, networks that ship, or methods by name:
    all that `gleam reconstruct` takes as RUN. Beside networks name wavelet, the floor that they are
    to beat."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("check.json")
    """File to write what is found to, .json."""
    map: Path | None = None
    """Image file to write of where the methods disagree, in any format of `gleam reconstruct`; by
    default none is written."""
    draws: int = 6
    """Number of times that samples are held out, 1 to 10, others each time; more of them narrow the
    intervals, which take 3, and last longer."""
    pattern: Literal["lines", "segments", "samples"] = "lines"
    """Kind of samples that are held out: lines whole; segments of 16 positions of a line along its
    readout; or single samples, as far as the readout was sampled in full."""
    of_scan: Annotated[ScanArguments, tyro.conf.arg(name="")] = field(default_factory=ScanArguments)
    device: Device = "auto"
    trust: Trust = ()
    force: Flag = False
    """Replace files that are there; and use a network on another kind of scan than it was trained
    on."""
    json: Flag = False
    """Print what is found as JSON instead of a table."""
