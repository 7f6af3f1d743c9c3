"""What can be said to `gleam reconstruct`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from gleam.cli.arguments import Device, LayoutArguments, Trust, parse
from gleam.physics.sampling import Kind


@dataclass(frozen=True)
class Arguments:
    """Reconstruct a scan with a trained run, as it was acquired or undersampled first.

    Of a folder of scans, each becomes an image in the folder --out; what was done before in the
    same way is kept, and manifest.jsonl says what became of each.

    Example: gleam reconstruct runs/greedy scan.h5 -o scan.nii.gz --until 'change<0.01'
    """

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """Run folder, or what `gleam export` wrote; or zero-filled, cg-sense, wavelet; or
    sliding-window, temporal-tv, low-rank, of a series."""
    scan: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SCAN")]
    """Scan file: ISMRMRD or fastMRI .h5, Siemens .dat, BART .cfl, .mat, .npy; or a folder of
    them."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Image: .nii.gz, .nii, .mrd, .npy, .png, .webp, .cfl or .dcm; a name without suffix is a
    folder for a DICOM series."""
    format: str | None = None
    """Of a folder's images: nii.gz (by default), nii, npy, mrd, png, webp, cfl, dicom, or what a
    challenge takes, fastmri or cmrxrecon. Of one image, instead of what its suffix says."""
    acceleration: float | None = None
    """Undersample a fully sampled scan by this first; by default it is taken as it is."""
    mask: Kind = "equispaced"
    """How, with --acceleration."""
    shutter: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Leave the corners of a poisson mask out."""
    calibration: int | None = None
    """Calibration lines used; by default all there are, up to 32 (8 % of a full scan). 0 takes the
    average over time instead."""
    coils: int | None = None
    """Compress to so many virtual coils first."""
    reference: Path | None = None
    """Scan file to calibrate coils from, of the same coils and place; for a scan whose own centre
    of k-space was not sampled in full."""
    iterations: int | None = None
    """Stop the network after so many of its iterations."""
    until: str | None = None
    """Stop it as soon as a module changes the image by less than this: 'change<0.01', relative to
    the image; for greedy runs."""
    tag: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """KEYWORD=VALUE to stand in DICOM, such as PatientID=17; say it as often as you need. Without
    it the images name nobody."""
    noise: Path | None = None
    """Noise of the same coils and bandwidth, to whiten them with instead of the scan's own, to a
    standard deviation of 1: an array (coil, samples), .npy, .cfl or .mat, or a scan file, of which
    its noise scan is taken, or else all samples."""
    group: str | None = None
    """Which measurement of a file that holds several: dataset_1, say, of ISMRMRD, or 1 of twix; by
    default the last."""
    part: str | None = None
    """Which scan, of a measurement that falls into several; by default all of them, each an image
    NAME-PART."""
    array: Annotated[LayoutArguments, tyro.conf.arg(name="")] = field(
        default_factory=LayoutArguments
    )
    device: Device = "auto"
    trust: Trust = ()
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace an image, or a DICOM series, that is there; and use a network on another kind of scan
    than it was trained on."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print what was written as JSON, a line for each image."""


def read(arguments: Sequence[str]) -> Arguments:
    """From the command line."""
    return parse(Arguments, "reconstruct", arguments)
