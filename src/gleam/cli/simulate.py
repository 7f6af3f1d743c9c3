"""gleam simulate: scan files of procedural anatomy."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import tyro

from gleam.cli.arguments import parse
from gleam.errors import BadInput
from gleam.simulation import simulate, simulate_scan


@dataclass(frozen=True)
class Arguments:
    """Write simulated, fully sampled scans.

    Example: gleam simulate scans/train --scans 40 --shape 128 128 --coils 4 8
    Volumes: gleam simulate volumes/train --scans 10 --shape 96 96 64
    Beating hearts: gleam simulate hearts/train --scans 20 --shape 96 96 --frames 16
    """

    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """Folder the scans go to."""
    scans: int = 10
    """How many."""
    slices: int | None = None
    """Slices per 2D scan, each of another anatomy; by default 8, or 1 of a series."""
    frames: int = 1
    """Of a 2D series, 4 or more: one beat of a heart."""
    shape: tuple[int, ...] = (128, 128)
    """Voxels, y x, or z y x for volumes; the readout is the first of them."""
    coils: tuple[int, int] = (4, 8)
    """Lowest and highest number of coils; drawn per scan."""
    snr: tuple[float, float] = (10.0, 200.0)
    """Lowest and highest signal-to-noise ratio; drawn per scan."""
    seed: int = 0
    """The same seed gives the same scans."""
    format: Literal["h5", "cfl"] | None = None
    """h5: fastMRI's layout, for static 2D scans, whose default it is. cfl: BART's, for all."""
    name: str = "scan"
    """What the files' names begin with; sets of other shapes can share a folder."""
    workers: int = 1
    """Processes."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the files as JSON."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    a = parse(Arguments, "simulate", arguments)
    static_2d = len(a.shape) == 2 and a.frames == 1
    if not static_2d and a.format == "h5":
        raise BadInput("simulate: fastMRI's layout holds static 2D scans; leave --format h5 out")
    slices = a.slices if a.slices is not None else 8 if static_2d else 1
    draw = partial(simulate_scan, a.shape, a.coils, slices, a.snr, frames=a.frames)
    format = a.format or ("h5" if static_2d else "cfl")
    paths = simulate(a.out, a.scans, draw, a.seed, format, a.workers, a.name)
    if a.json:
        print(json.dumps([str(path) for path in paths]))
    else:
        print(f"{len(paths)} scans in {a.out}; next: gleam prepare {a.out} OUT")
