"""gleam reconstruct: a scan it never saw, with a trained run."""

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import tyro

from gleam.cli.arguments import Device, LayoutArguments, parse, part_of
from gleam.cli.outcomes import report
from gleam.cli.run import reconstructor
from gleam.data.facts import axis_names
from gleam.data.jobs import find_scans
from gleam.data.manifest import recorded
from gleam.data.noise_file import checked_noise
from gleam.data.prepare import Prepared, Settings
from gleam.device import described
from gleam.errors import BadInput
from gleam.files import check_new, make_folder
from gleam.formats import Volume, dicom, image_writer, read_scans
from gleam.formats.scan import choose
from gleam.physics.sampling import Kind
from gleam.recipe import MaskRecipe
from gleam.reconstruction.early_exit import EarlyExit
from gleam.reconstruction.many import Job, identity, reconstruct_many
from gleam.reconstruction.reconstruct import reconstruct
from gleam.reconstruction.reconstructor import Reconstructor
from gleam.terminal import counted, followed, say, warn


@dataclass(frozen=True)
class Arguments:
    """Reconstruct a scan with a trained run, as it was acquired or undersampled first.

    Of a folder of scans, each becomes an image in the folder --out; what was done before in the
    same way is kept, and manifest.jsonl says what became of each.

    Example: gleam reconstruct runs/greedy scan.h5 -o scan.nii.gz --until 'change<0.01'
    """

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """Run folder; or zero-filled, cg-sense, wavelet; or sliding-window, temporal-tv, low-rank, of a
    series."""
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
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace an image, or a DICOM series, that is there; and use a network on another kind of scan
    than it was trained on."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print what was written as JSON, a line for each image."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    a = parse(Arguments, "reconstruct", arguments)
    mask = None
    if a.acceleration is not None:
        if not a.acceleration >= 1:
            raise BadInput(f"reconstruct: --acceleration is 1 or more, not {a.acceleration}")
        if a.shutter and a.mask != "poisson":
            raise BadInput(
                f"reconstruct: --shutter cuts corners of a poisson mask, not of {a.mask}"
            )
        mask = MaskRecipe(kind=a.mask, acceleration=a.acceleration, shutter=a.shutter)
    many = a.scan.is_dir()
    if many and a.part is not None:
        raise BadInput("reconstruct: --part is for one file; of a folder, all are reconstructed")
    if a.out.exists() and a.out.resolve().with_suffix("") == a.scan.resolve().with_suffix(""):
        raise BadInput(f"{a.out}: is the scan itself; give the image another name")
    format = a.format or ("nii.gz" if many else None)
    write = image_writer(a.out, format)
    is_dicom = write is dicom.write_image
    if is_dicom:
        write = partial(dicom.write_image, tags=dicom.parse_tags(a.tag), force=a.force)
    elif a.tag:
        raise BadInput(f"{a.out}: --tag is for DICOM; write to a folder or a .dcm file")
    noise = checked_noise(a.noise, a.array.layout)
    make_folder(a.out if many else a.out.parent)
    chosen = reconstructor(a.run, a.iterations, _change(a.until), a.force, a.device)
    layout, reference = a.array.layout, a.reference
    settings = Settings(a.calibration, chosen.sets, a.coils, layout, reference, a.group, noise)
    where = f"computing on {described(chosen.device)}"
    if many:
        say(where)
        what = identity(chosen.method, chosen.words, mask)
        job = Job(settings, format or "", partial(_quietly, chosen, mask), write, a.force, what)
        _folder(a.scan, a.out, job, a.json)
        return
    scans = read_scans(a.scan, settings.layout, a.group)
    wanted = choose(str(a.scan), scans, a.part)
    outs = {part: a.out if a.part or not part else part_of(a.out, part) for part in wanted}
    for out in outs.values():
        check_new(out, a.force)
    for part, read in wanted.items():
        out = outs[part]
        example = Prepared(read(), settings)
        warn(example.header.name, example.header.warnings)
        if is_dicom:
            slices, _, frames, *_ = example.shape
            dicom.check(out, slices * frames * math.prod(example.header.matrix[:-2]), a.force)
        with counted("reconstructing", example.shape[0]) as done:
            volume, doubts, used = _image(chosen, mask, example, done)
        if out is next(iter(outs.values())):
            say(where)
        warn(chosen.name, doubts)
        write(volume, out)
        _say(volume, out, used, a.json)


def _folder(scans: Path, out: Path, job: Job, as_json: bool) -> None:
    sources = find_scans([scans])
    if out.resolve() == scans.resolve():
        raise BadInput(f"{out}: holds the scans; give the images another folder")
    work = recorded(reconstruct_many(sources, out, job), out)
    outcomes = list(followed(work, "reconstructing", len(sources)))
    report({out: outcomes}, out, ("reconstructed", "kept", "skipped"), as_json)


def _quietly(
    chosen: Reconstructor, mask: MaskRecipe | None, example: Prepared
) -> tuple[Volume, list[str]]:
    volume, doubts, _ = _image(chosen, mask, example, lambda done: None)
    return volume, [f"{chosen.name}: {doubt}" for doubt in doubts]


def _image(
    chosen: Reconstructor,
    mask: MaskRecipe | None,
    example: Prepared,
    progress: Callable[[int], None],
) -> tuple[Volume, list[str], list[int]]:
    """With what may make it worse, and the iterations of a network that stops early."""
    doubts = chosen.check(example, mask)
    words, used, method = chosen.words, list[int](), chosen.method
    stops = isinstance(method, EarlyExit) and bool(method.iterations or method.change)
    in_turn = stops or chosen.device.type == "cuda"
    at_once = 1 if in_turn else torch.get_num_threads()
    volume = reconstruct(method, example, mask, chosen.device, progress, at_once=at_once)
    if isinstance(method, EarlyExit) and stops:
        used, method.used = method.used, []
        words += f", stopped after {min(used)}" + (f" to {max(used)}" if len({*used}) > 1 else "")
    return replace(volume, method=words), doubts, used


def _say(volume: Volume, out: Path, used: list[int], as_json: bool) -> None:
    """What was written; `used` as `_image` gives it."""
    if as_json:
        shape, voxel = list(volume.image.shape), list(volume.voxel)
        facts = {"out": str(out), "shape": shape, "voxel_mm": voxel}
        print(json.dumps(facts | ({"iterations": used} if used else {})))
        return
    axes = ", ".join(("slice", "frame", *axis_names(volume.image.ndim - 2)))
    print(f"{out}: {' × '.join(map(str, volume.image.shape))} ({axes})")
    if used:
        print(volume.method)


def _change(said: str | None) -> float | None:
    """Of `change<0.01`, or the number alone."""
    if said is None:
        return None
    read = re.fullmatch(r"(?:change *< *)?(\d*\.?\d+(?:e-?\d+)?)", said)
    number = 0.0 if read is None else float(read[1])
    if not 0 < number < math.inf:
        raise BadInput(f"reconstruct: --until is like 'change<0.01', not {said!r}")
    return number
