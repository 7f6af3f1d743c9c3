"""Options of `gleam prepare`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from gleam.cli.arguments import Flag, Group, LayoutArguments, NoiseFile


@dataclass(frozen=True)
class Arguments:
    """Make an example file of every scan: sensitivity maps, target, one intensity scale.

    A file that holds several scans (stacks, orientations, slabs) gives an example for each.
    What was prepared before with the same settings is kept. A scan that cannot be used is named
    at the end, with the reason, and stops nothing. manifest.jsonl beside the examples says what
    became of each scan.

    Example: gleam prepare scans/train prepared/train --workers 2
    """

    inputs: tyro.conf.Positional[tuple[Path, ...]]
    """Scan files (.h5, .mrd, .dat, .cfl, .mat, .npy) or folders of them; then, last, the folder
    that the examples go to."""
    calibration: int | None = None
    """Calibration lines kept along each phase-encoding axis; by default 8 % of them, at least 10.
    More make better maps, and leave fewer lines for masks to choose. 0 is for series whose masks
    are to keep none: maps then come from the average over time."""
    sets: int = 1
    """Number of sensitivity map sets; 2 where the object is larger than the field of view."""
    coils: int | None = None
    """Number of virtual coils to compress to; by default all coils are kept. Fewer take less memory
    and time, and lose a little signal."""
    reference: Path | None = None
    """Scan file to calibrate coils from, of the same coils and place; for scans whose own centre of
    k-space was not sampled in full."""
    noise: NoiseFile = None
    group: Group = None
    array: Annotated[LayoutArguments, tyro.conf.arg(name="")] = field(
        default_factory=LayoutArguments
    )
    split: str | None = None
    """Division of the scans by subject, 80/10/10 say: so many percent go into OUT/train,
    OUT/validation and OUT/test; folders are then searched with all that is below them."""
    subject: str | None = None
    """Regular expression that finds the subject in a scan's path, with --split: 'sub-(\\d+)', say.
    By default the folder below the one given; or else every file is a subject."""
    seed: int = 0
    """Seed of --split: another one divides the subjects otherwise."""
    workers: int = 1
    """Number of scans prepared at a time, each in its own process."""
    memory: str | None = None
    """Memory that each process may take, 4GiB say; a scan that needs more is skipped. By default it
    is an equal share of the machine's memory. Linux only."""
    dask: str | None = None
    """Address of a Dask scheduler you trust, host:port, to work there instead; its workers must
    reach the files under the same paths."""
    force: Flag = False
    """Replace examples that are there and were made of another file, with other settings or by
    another version."""
    json: Flag = False
    """Print the outcome of each scan as JSON."""
