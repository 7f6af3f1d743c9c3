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

    Each scan of a folder becomes an image in the folder --out; what was done before in the same way
    is kept, and manifest.jsonl says what became of each.

    Example: gleam reconstruct runs/greedy scan.h5 -o scan.nii.gz --until 'change<0.01'
    """

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """Run folder, or what `gleam export` wrote; or a method without learning: zero-filled,
    cg-sense, wavelet; for series also sliding-window, temporal-tv, low-rank."""
    scan: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SCAN")]
    """Scan file: ISMRMRD or fastMRI .h5, Siemens .dat, BART .cfl, .mat, .npy; or a folder of
    them."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Image file to write: .nii.gz, .nii, .mrd, .npy, .png, .webp, .cfl or .dcm; a name without
    suffix is a folder for a DICOM series."""
    format: str | None = None
    """Format of the images of a folder of scans: nii.gz (by default), nii, npy, mrd, png, webp,
    cfl, dicom, or what a challenge takes, fastmri or cmrxrecon. For one image it overrides what the
    suffix says."""
    acceleration: float | None = None
    """Undersample a fully sampled scan by this factor first; by default it is taken as it is.
    Larger factors leave fewer samples."""
    mask: Kind = "equispaced"
    """Kind of mask to undersample by, with --acceleration."""
    shutter: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Leave out the corners of k-space, with --mask poisson."""
    calibration: int | None = None
    """Calibration lines used; by default all there are, up to 32 (8 % of a full scan). 0 takes the
    average over time instead."""
    coils: int | None = None
    """Number of virtual coils to compress to first; by default all coils are kept."""
    reference: Path | None = None
    """Scan file to calibrate coils from, of the same coils and place; for a scan whose own centre
    of k-space was not sampled in full."""
    iterations: int | None = None
    """Number of iterations after which the network stops; by default it runs all of them."""
    until: str | None = None
    """Stop the network as soon as a module changes the image by less than this: 'change<0.01',
    relative to the image. It is for greedy runs; larger values stop earlier."""
    tag: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Tag to stand in DICOM, KEYWORD=VALUE, such as PatientID=17; give it as often as needed.
    Without it the images name nobody."""
    noise: Path | None = None
    """Noise of the same coils and bandwidth, to whiten the coils with instead of the scan's own, to
    a standard deviation of 1: an array (coil, samples) in .npy, .cfl or .mat, or a scan file, of
    which its noise scan is taken, or else all samples."""
    group: str | None = None
    """Measurement to read, where a file holds several: dataset_1, say, of ISMRMRD, or 1 of twix; by
    default the last."""
    part: str | None = None
    """Name of one scan, where a measurement falls into several; by default all of them, each an
    image NAME-PART."""
    array: Annotated[LayoutArguments, tyro.conf.arg(name="")] = field(
        default_factory=LayoutArguments
    )
    device: Device = "auto"
    trust: Trust = ()
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace an image, or a DICOM series, that is there; and use a network on another kind of scan
    than it was trained on."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print what was written as JSON, one line per image."""


def read(arguments: Sequence[str]) -> Arguments:
    """From the command line."""
    return parse(Arguments, "reconstruct", arguments)
