"""Options of `gleam simulate`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from gleam.cli.arguments import Flag, LayoutArguments


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
    """Folder that the scans go to."""
    image: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Image to scan instead of procedural anatomy: .nii, .nii.gz, .npy, .mat, or a folder of DICOM
    files (one series). A real image gets a random phase."""
    array: Annotated[LayoutArguments, tyro.conf.arg(name="")] = field(
        default_factory=LayoutArguments
    )
    scans: int | None = None
    """Number of scans, each with other coils, another phase and other noise; 10 by default, or 1 of
    an image."""
    slices: int | None = None
    """Number of slices per 2D scan, each of another anatomy; by default 8, or 1 of a series."""
    frames: int | None = None
    """Number of frames of a 2D series, 4 or more: together one beat of a heart."""
    shape: tuple[int, ...] | None = None
    """Size in voxels, y x, or z y x for volumes; the readout is the first of them. By default 128
    128, or the image's; at most the image's, whose k-space is then cropped."""
    coils: tuple[int, int] = (4, 8)
    """Lowest and highest number of coils; drawn per scan."""
    snr: tuple[float, float] = (10.0, 200.0)
    """Lowest and highest signal-to-noise ratio; drawn per scan. Larger values mean less noise."""
    oversized: float | None = None
    """Share of slices, or volumes, whose body is larger than the field of view, 0 to 1; by default
    one in six. One map set does not describe such a scan (see --sets of gleam prepare)."""
    seed: int = 0
    """Seed of everything drawn: the same seed gives the same scans."""
    format: Literal["h5", "cfl"] | None = None
    """File format. h5: fastMRI's layout, for static 2D scans, whose default it is. cfl: BART's, for
    all."""
    name: str = "scan"
    """Beginning of the files' names; sets of other shapes can share a folder."""
    workers: int = 1
    """Number of scans simulated at a time, each in its own process."""
    force: Flag = False
    """Replace scans that are there under the same names."""
    json: Flag = False
    """Print the files as JSON."""
