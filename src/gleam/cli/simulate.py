"""gleam simulate: scan files of procedural anatomy."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from gleam import simulation
from gleam.cli.arguments import parse


@dataclass(frozen=True)
class Arguments:
    """Write simulated, fully sampled scans.

    Example: gleam simulate scans/train --scans 40 --shape 128 128 --coils 4 8
    """

    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """Folder the scans go to."""
    scans: int = 10
    """How many."""
    slices: int = 8
    """Slices per scan, each of another anatomy."""
    shape: tuple[int, int] = (128, 128)
    """Voxels, y x; the readout is y."""
    coils: tuple[int, int] = (4, 8)
    """Lowest and highest number of coils; drawn per scan."""
    snr: tuple[float, float] = (10.0, 200.0)
    """Lowest and highest signal-to-noise ratio; drawn per scan."""
    seed: int = 0
    """The same seed gives the same scans."""
    format: Literal["h5", "cfl"] = "h5"
    """h5: fastMRI's layout. cfl: BART's."""
    name: str = "scan"
    """What the files' names begin with; sets of other shapes can share a folder."""
    workers: int = 1
    """Processes."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the files as JSON."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    a = parse(Arguments, "simulate", arguments)
    paths = simulation.simulate(
        a.out, a.scans, a.slices, a.shape, a.coils, a.snr, a.seed, a.format, a.workers, a.name
    )
    if a.json:
        print(json.dumps([str(path) for path in paths]))
    else:
        print(f"{len(paths)} scans in {a.out}; next: gleam prepare {a.out} OUT")
