"""What can be said to `gleam simulate`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from gleam.cli.arguments import LayoutArguments, parse


@dataclass(frozen=True)
class Arguments:
    """Write simulated, fully sampled scans, of procedural anatomy or of an image.

    Example: gleam simulate scans/train --scans 40 --shape 128 128 --coils 4 8

    Volumes, beating hearts, an image of your own:
      gleam simulate volumes/train --scans 10 --shape 96 96 64
      gleam simulate hearts/train --scans 20 --shape 96 96 --frames 16
      gleam simulate brain --from brain.nii.gz --shape 96 112 96
    """

    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """Folder the scans go to."""
    image: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Image to scan instead of procedural anatomy: .nii, .nii.gz, .npy, .mat, or a folder of
    DICOM files (one series). What is real gets a random phase."""
    array: Annotated[LayoutArguments, tyro.conf.arg(name="")] = field(
        default_factory=LayoutArguments
    )
    scans: int | None = None
    """How many; 10 by default, or 1 of an image: each has other coils, another phase and noise."""
    slices: int | None = None
    """Slices per 2D scan, each of another anatomy; by default 8, or 1 of a series."""
    frames: int | None = None
    """Of a 2D series, 4 or more: one beat of a heart."""
    shape: tuple[int, ...] | None = None
    """Voxels, y x, or z y x for volumes; the readout is the first of them. By default 128 128, or
    the image's; of an image no more than it has, and its k-space is cropped."""
    coils: tuple[int, int] = (4, 8)
    """Lowest and highest number of coils; drawn per scan."""
    snr: tuple[float, float] = (10.0, 200.0)
    """Lowest and highest signal-to-noise ratio; drawn per scan."""
    oversized: float | None = None
    """Share of slices, or volumes, whose body is larger than the field of view; by default one in
    six. One map set does not describe such a scan (see --sets of gleam prepare)."""
    seed: int = 0
    """The same seed gives the same scans."""
    format: Literal["h5", "cfl"] | None = None
    """h5: fastMRI's layout, for static 2D scans, whose default it is. cfl: BART's, for all."""
    name: str = "scan"
    """What the files' names begin with; sets of other shapes can share a folder."""
    workers: int = 1
    """Processes."""
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace scans that are there under the same names."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the files as JSON."""


def read(arguments: Sequence[str]) -> Arguments:
    """From the command line."""
    return parse(Arguments, "simulate", arguments)
