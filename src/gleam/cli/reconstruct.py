"""gleam reconstruct: a scan it never saw, with a trained run."""

import json
import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from gleam.cli.options.reconstruct import Arguments
from gleam.cli.outcomes import report
from gleam.cli.parts import part_of
from gleam.device import described
from gleam.errors import BadInput
from gleam.files import check_new, make_folder
from gleam.formats import Volume, image_writer, read_scans
from gleam.formats.dicom import writer as dicom
from gleam.formats.scan import choose
from gleam.preparation.description import axis_names
from gleam.preparation.jobs import find_scans
from gleam.preparation.manifest import recorded
from gleam.preparation.noise_file import checked_noise
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import MaskRecipe
from gleam.reconstruction.many import Job, identity, reconstruct_many
from gleam.reconstruction.named import reconstructor
from gleam.reconstruction.reconstruct import Reconstruction, reconstruct
from gleam.reconstruction.reconstructor import Reconstructor
from gleam.terminal import counted, followed, say, warn


def main(a: Arguments) -> None:
    """Run the verb."""
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
    chosen = reconstructor(a.run, a.device, a.iterations, _change(a.until), a.force)
    layout, reference = a.array.layout, a.reference
    settings = Settings(a.calibration, chosen.sets, a.coils, layout, reference, a.group, noise)
    where = f"reconstructing on {described(chosen.device)}"
    if many:
        say(where)
        what = identity(chosen, mask)
        job = Job(settings, format or "", partial(_with_doubts, chosen, mask), write, a.force, what)
        _folder(a.scan, a.out, job, a.json)
        return
    scans = read_scans(a.scan, settings.layout, a.group)
    wanted = choose(str(a.scan), scans, a.part)
    outs = {part: a.out if a.part or not part else part_of(a.out, part) for part in wanted}
    for out in outs.values():
        check_new(out, a.force)
    for number, (part, out) in enumerate(outs.items()):
        example = Prepared(wanted[part](), settings)
        warn(example.header.name, example.header.warnings)
        if is_dicom:
            slices, _, frames, *_ = example.shape
            dicom.check(out, slices * frames * math.prod(example.header.matrix[:-2]), a.force)
        chosen.check(example, mask)
        if number == 0:
            say(where)
        with counted("reconstructing", example.shape[0]) as done:
            image = _image(chosen, mask, example, done)
        warn(chosen.name, image.doubts)
        write(image, out)
        _say(image, out, chosen.stops, a.json)


def _folder(scans: Path, out: Path, job: Job, as_json: bool) -> None:
    sources = find_scans([scans])
    if out.resolve() == scans.resolve():
        raise BadInput(f"{out}: holds the scans; give the images another folder")
    work = recorded(reconstruct_many(sources, out, job), out)
    outcomes = list(followed(work, "reconstructing", len(sources)))
    report({out: outcomes}, out, ("reconstructed", "kept", "skipped"), as_json)


def _with_doubts(
    chosen: Reconstructor, mask: MaskRecipe | None, example: Prepared
) -> tuple[Volume, list[str]]:
    image = _image(chosen, mask, example, lambda done: None)
    return image, [f"{chosen.name}: {doubt}" for doubt in image.doubts]


def _image(
    chosen: Reconstructor,
    mask: MaskRecipe | None,
    example: Prepared,
    progress: Callable[[int], None],
) -> Reconstruction:
    at_once = 1 if chosen.device.type == "cuda" else torch.get_num_threads()
    return reconstruct(chosen, example, mask, progress, at_once)


def _say(volume: Reconstruction, out: Path, stops: bool, as_json: bool) -> None:
    """What was written; and of a network that stops early, when."""
    if as_json:
        shape, voxel = list(volume.image.shape), list(volume.voxel)
        facts = {"out": str(out), "shape": shape, "voxel_mm": voxel}
        print(json.dumps(facts | ({"iterations": volume.iterations} if stops else {})))
        return
    axes = ", ".join(("slice", "frame", *axis_names(volume.image.ndim - 2)))
    print(f"{out}: {' × '.join(map(str, volume.image.shape))} ({axes})")
    if stops:
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
