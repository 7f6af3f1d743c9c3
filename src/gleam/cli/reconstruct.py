"""gleam reconstruct: a scan it never saw, with a trained run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro
from rich.progress import Progress

from gleam.cli.arguments import parse
from gleam.data.prepare import Prepared, Settings
from gleam.errors import BadInput
from gleam.files import make_folder
from gleam.formats import image_writer, read_scan
from gleam.recipe import MaskRecipe
from gleam.reconstruction.baselines import cg_sense, zero_filled
from gleam.reconstruction.reconstruct import reconstruct
from gleam.terminal import console
from gleam.training.run import load_run


@dataclass(frozen=True)
class Arguments:
    """Reconstruct a scan with a trained run, as it was acquired or undersampled first.

    Example: gleam reconstruct runs/greedy scan.h5 -o scan.nii.gz
    """

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """Run folder; or zero-filled, or cg-sense."""
    scan: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SCAN")]
    """Scan file: fastMRI .h5, BART .cfl, .npy."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Image file: .nii.gz, .nii, .npy, .png or .cfl."""
    acceleration: float | None = None
    """Undersample a fully sampled scan by this first; by default it is taken as it is."""
    mask: Literal["equispaced", "random", "poisson"] = "equispaced"
    """How, with --acceleration."""
    calibration: int | None = None
    """Calibration lines used; by default all there are, up to 32 (8 % of a full scan)."""
    coils: int | None = None
    """Compress to so many virtual coils first."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print what was written as JSON."""


BASELINES = {"zero-filled": zero_filled, "cg-sense": cg_sense}


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    a = parse(Arguments, "reconstruct", arguments)
    mask = None
    if a.acceleration is not None:
        if not a.acceleration >= 1:
            raise BadInput(f"reconstruct: --acceleration is 1 or more, not {a.acceleration}")
        mask = MaskRecipe(kind=a.mask, acceleration=a.acceleration)
    if a.out.exists() and a.out.resolve().with_suffix("") == a.scan.resolve().with_suffix(""):
        raise BadInput(f"{a.out}: is the scan itself; give the image another name")
    write = image_writer(a.out)
    make_folder(a.out.parent)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if a.run in BASELINES:
        method, sets = BASELINES[a.run], 1
    else:
        recipe, network = load_run(Path(a.run))
        method, sets = network.to(device), recipe.network.sets
    example = Prepared(read_scan(a.scan), Settings(a.calibration, sets, a.coils))
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reconstructing", total=example.shape[0])
        volume = reconstruct(
            method, example, mask, device, lambda done: progress.update(task, completed=done)
        )
    write(volume, a.out)
    if a.json:
        shape, voxel = list(volume.image.shape), list(volume.voxel)
        print(json.dumps({"out": str(a.out), "shape": shape, "voxel_mm": voxel}))
    else:
        print(f"{a.out}: {' × '.join(map(str, volume.image.shape))} (slice, frame, y, x)")
