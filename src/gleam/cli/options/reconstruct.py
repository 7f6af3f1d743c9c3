"""Options of `gleam reconstruct`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from gleam.cli.arguments import Device, Flag, Trust
from gleam.cli.options.scan import ScanArguments
from gleam.recipe import Count, Positive


@dataclass(frozen=True)
class Arguments:
    """Reconstruct a scan with a trained run, as it was acquired or undersampled first.

    Each scan of a folder becomes an image in the folder --out; what was done before in the same way
    is kept, and manifest.jsonl says what became of each.

    Example: gleam reconstruct runs/greedy scan.h5 -o scan.nii.gz --adapt
    """

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """Run folder, what `gleam export` wrote, or the name of a network that ships; or a method
    without learning: zero-filled, cg-sense, wavelet; for series also sliding-window, temporal-tv,
    low-rank."""
    scan: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SCAN")]
    """Scan file: ISMRMRD or fastMRI .h5, Siemens .dat, BART .cfl, .mat, .npy; or a folder of
    them."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Image file to write: .nii.gz, .nii, .mrd, .npy, .png, .webp, .cfl or .dcm; a name without
    suffix is a folder for a DICOM series."""
    format: str | None = None
    """Format of the images of a folder of scans: nii.gz (by default), nii, npy, mrd, png, webp,
    cfl, dicom, or what a challenge takes, fastmri or cmrxrecon. One image needs it for these two
    alone: else its suffix says it."""
    adapt: Flag = False
    """Have the run's network learn from the scan first, without ground truth, in minutes: see
    `gleam adapt`."""
    steps: Count | None = None
    """Number of training steps of --adapt; by default 100."""
    minutes: Positive | None = None
    """Minutes that --adapt trains for instead of a number of steps, validation apart."""
    iterations: int | None = None
    """Number of iterations after which the network stops; by default it runs all of them."""
    until: str | None = None
    """Stop the network as soon as a module changes the image by less than this: 'change<0.01',
    relative to the image. It is for greedy runs; larger values stop earlier."""
    tag: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Tag to stand in DICOM, KEYWORD=VALUE, such as PatientID=17; give it as often as needed.
    Without it the images name nobody."""
    method: Literal["given", "best"] = "given"
    """Method that makes the image: given is RUN; best is RUN or, where a check without the truth
    ranks it above RUN, compressed sensing. It is RUN, too, where RUN has learnt from the scan
    itself or the scan cannot be checked."""
    check: Flag = False
    """Hold out some of the samples, and say how well RUN predicts them, beside compressed sensing;
    written to NAME.check.json beside the image, see `gleam check`."""
    of_scan: Annotated[ScanArguments, tyro.conf.arg(name="")] = field(default_factory=ScanArguments)
    memory: str | None = None
    """Memory that there is, as 8GiB: slices at once, slabs and patches are chosen so that it fits,
    which leaves the image as it is; peak and seconds are said before it starts. A check and --adapt
    count, too."""
    device: Device = "auto"
    trust: Trust = ()
    force: Flag = False
    """Replace an image or a DICOM series that is there, and its check; and use a network on another
    kind of scan than it was trained on."""
    json: Flag = False
    """Print what was written as JSON, one line per image."""
