"""gleam reconstruct: a scan it never saw, with a trained run."""

import json
import math
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import torch

from gleam.amounts import bytes_of, in_bytes
from gleam.cli.options.reconstruct import Arguments
from gleam.cli.outcomes import report
from gleam.cli.parts import check_dicom, of_each, part_of
from gleam.data.example import Example
from gleam.device import choose as choose_device
from gleam.device import described
from gleam.errors import BadInput
from gleam.files import check_new, make_folder, sha256_of
from gleam.formats import (
    Scan,
    Volume,
    check_spares,
    image_name,
    image_writer,
    read_scans,
    scan_file,
)
from gleam.formats.dicom import writer as dicom
from gleam.formats.parts import choose
from gleam.planning.adapting import fitted_adaptation
from gleam.planning.checks import needs_checked
from gleam.planning.inference import in_words, needs, planned, seconds
from gleam.preparation.description import axis_names
from gleam.preparation.jobs import find_scans
from gleam.preparation.manifest import recorded
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import MaskRecipe
from gleam.reconstruction.adapted import adapted_to
from gleam.reconstruction.checked import beside
from gleam.reconstruction.many import ReconstructionJob, identity, reconstruct_many
from gleam.reconstruction.named import reconstructor
from gleam.reconstruction.reconstruct import Reconstruction
from gleam.reconstruction.reconstructor import Reconstructor, Trained
from gleam.reconstruction.rivals import image_of
from gleam.reconstruction.uncalibrated import prepared_or_image
from gleam.runs.adaptation import Adaptation
from gleam.terminal import counted, followed, say, warn

ImageOf = Callable[[Prepared, Callable[[int], None]], Reconstruction]


def main(a: Arguments) -> None:
    """Run the verb."""
    mask, part = a.of_scan.mask_recipe("reconstruct"), a.of_scan.part
    many = a.scan.is_dir()
    if many and part is not None:
        raise BadInput("reconstruct: --part is for one file; of a folder, all are reconstructed")
    if not many:
        check_spares(a.out, a.scan)
    format = a.format or ("nii.gz" if many else None)
    write = image_writer(Path(image_name("", format)) if many and format else a.out, format)
    is_dicom = write is dicom.write_image
    if is_dicom:
        write = partial(dicom.write_image, tags=dicom.parse_tags(a.tag), force=a.force)
    elif a.tag:
        raise BadInput(f"{a.out}: --tag is for DICOM; write to a folder or a .dcm file")
    settings = a.of_scan.settings()
    _memory(a)  # what is wrong with it is said once
    sources = find_scans([a.scan]) if many else []
    if many and a.out.resolve() == a.scan.resolve():
        raise BadInput(f"{a.out}: holds the scans; give the images another folder")
    chosen = reconstructor(a.run, a.device, a.iterations, _change(a.until), a.force)
    settings = replace(settings, sets=chosen.sets)
    adaptation = _adaptation(a, chosen, many, mask)
    make = partial(_image, chosen, mask, a)
    say_where = cache(lambda: say(f"reconstructing on {described(chosen.device)}"))
    if many:
        say_where()
        what = identity(chosen, mask) + ("" if _plain(a) else f"{a.check} {a.method}")
        job = ReconstructionJob(
            settings,
            format or "",
            partial(_with_doubts, chosen, mask, make),
            partial(_write, write),
            a.force,
            what,
            a.check,
        )
        make_folder(a.out)
        _folder(sources, a.out, job, a.json)
        return
    scans = read_scans(a.scan, settings.layout, settings.measurement)
    wanted = choose(str(a.scan), scans, part)
    outs = {name: a.out if part or not name else part_of(a.out, name) for name in wanted}
    for out in outs.values():
        check_new(out, a.force, beside=[beside(out)] if a.check else [])
    make_folder(a.out.parent)
    sha256 = "" if _plain(a) and not chosen.on_trial else sha256_of(scan_file(a.scan))

    def made(name: str, read: Callable[[], Scan]) -> None:
        out = outs[name]
        scan = read()
        example = prepared_or_image(scan, settings, chosen, mask, sha256)
        known = scan if isinstance(example, Reconstruction) else example.header
        warn(scan.name, known.warnings)
        if is_dicom:
            check_dicom(out, scan, a.force)
        if isinstance(example, Reconstruction):
            warn(chosen.name, example.doubts)
            _write(write, example, out)
            _say(example, out, chosen.stops, a.json, {})
            return
        chosen.check(example, mask)
        say_where()
        predicted: dict[str, object] = {}
        with ExitStack() as until_done:
            method: Reconstructor = chosen
            data: Example = example
            if adaptation is not None:
                assert isinstance(chosen, Trained)
                fitting = _fitting(a, chosen, example, adaptation)
                ready = adapted_to(example, chosen, fitting, partial(_trained, a))
                method, data = until_done.enter_context(ready)
            done = until_done.enter_context(counted("reconstructing", example.shape[0]))
            image = _image(method, mask, a, data, done, predicted)
        warn(chosen.name, image.doubts)
        _write(write, image, out)
        _say(image, out, chosen.stops, a.json, predicted)

    of_each(a.scan, wanted, made)


def _adaptation(
    a: Arguments, chosen: Reconstructor, many: bool, mask: MaskRecipe | None
) -> Adaptation | None:
    """The adaptation of the network that is asked for, if any."""
    if not a.adapt:
        if a.steps is not None or a.minutes is not None:
            raise BadInput("reconstruct: --steps and --minutes are of --adapt; say that, too")
        return None
    if not isinstance(chosen, Trained):
        raise BadInput(f"{a.run}: has nothing to learn with --adapt; give a trained run")
    if many:
        raise BadInput(
            "reconstruct: --adapt is for one file; of a folder, first run `gleam adapt` on all or "
            "some of its scans, then reconstruct them with the new run"
        )
    return Adaptation(a.steps, a.minutes, mask=mask)


def _fitting(
    a: Arguments, chosen: Trained, example: Prepared, adaptation: Adaptation
) -> Adaptation:
    """The adaptation, made to fit into the memory that is said; what it takes is said before."""
    memory = _memory(a)
    if memory is None:
        return adaptation
    made, peak = fitted_adaptation(chosen, example, replace(adaptation, leaner={}), memory)
    if peak is not None:
        say(f"{example.header.name}: learning from it takes {in_bytes(peak)} at its peak")
    return made


def _trained(a: Arguments, run: Path) -> Trained:
    device = choose_device(a.device)
    return Trained.of(run, device, a.iterations, _change(a.until), a.force)


def _folder(sources: list[Path], out: Path, job: ReconstructionJob, as_json: bool) -> None:
    work = recorded(reconstruct_many(sources, out, job), out)
    outcomes = list(followed(work, "reconstructing", len(sources)))
    report({out: outcomes}, out, ("reconstructed", "kept", "skipped"), as_json)


def _with_doubts(
    chosen: Reconstructor,
    mask: MaskRecipe | None,
    make: ImageOf,
    scan: Scan,
    settings: Settings,
    sha256: str,
) -> tuple[Reconstruction, list[str]]:
    example = prepared_or_image(scan, settings, chosen, mask, sha256)
    if isinstance(example, Reconstruction):
        image, words = example, [*scan.warnings]
    else:
        image, words = make(example, lambda done: None), [*example.header.warnings]
    words += [f"{chosen.name}: {doubt}" for doubt in image.doubts]
    if image.verdict and not image.method.startswith(chosen.words):
        words.append(f"the image is by {image.method}: {image.verdict}")
    return image, words


def _image(
    chosen: Reconstructor,
    mask: MaskRecipe | None,
    a: Arguments,
    example: Example,
    progress: Callable[[int], None],
    predicted: dict[str, object] | None = None,
) -> Reconstruction:
    """The image; what it takes is said before, and goes into `predicted`."""
    at_once = 1 if chosen.device.type == "cuda" else torch.get_num_threads()
    checks = not _plain(a) or chosen.on_trial
    if checks and a.memory is None:
        return image_of(chosen, example, mask, a.check, a.method == "best", progress, at_once)
    of = needs_checked if checks else needs
    use, found = planned(chosen, example, mask, _memory(a), at_once, of)
    if found is not None:
        duration = None if checks else seconds(chosen, example, found)
        how = f"; {use}" if a.memory is not None else ""
        say(f"{example.header.name}: {in_words(found, duration)}{how}")
        if predicted is not None:
            predicted |= {"predicted_peak_bytes": found.peak, "predicted_seconds": duration}
    best = a.method == "best"
    return image_of(chosen, example, mask, a.check, best, progress, use.at_once, use.slab)


def _memory(a: Arguments) -> int | None:
    return None if a.memory is None else bytes_of(a.memory, "reconstruct: --memory")


def _plain(a: Arguments) -> bool:
    """Whether the user asks for no check."""
    return not a.check and a.method == "given"


def _write(write: Callable[[Volume, Path], None], image: Volume, out: Path) -> None:
    """The image, and what a check of it found."""
    write(image, out)
    if isinstance(image, Reconstruction) and image.check is not None:
        image.check.save(beside(out))


def _say(
    volume: Reconstruction,
    out: Path,
    stops: bool,
    as_json: bool,
    predicted: dict[str, object],
) -> None:
    """Say what was written; and of a network that stops early, when it did."""
    if as_json:
        shape, voxel = list(volume.image.shape), list(volume.voxel)
        facts = {"out": str(out), "shape": shape, "voxel_mm": voxel} | predicted
        if volume.verdict:
            facts |= {"method": volume.method, "verdict": volume.verdict}
        if volume.check is not None:
            facts["check"] = json.loads(volume.check.model_dump_json())
        print(json.dumps(facts | ({"iterations": volume.iterations} if stops else {})))
        return
    axes = ", ".join(("slice", "frame", *axis_names(volume.image.ndim - 2)))
    print(f"{out}: {' × '.join(map(str, volume.image.shape))} ({axes})")
    if stops:
        print(volume.method)
    if volume.verdict:
        print(f"by {volume.method}: {volume.verdict}")


def _change(text: str | None) -> float | None:
    """The number in `change<0.01`, or the number alone."""
    if text is None:
        return None
    read = re.fullmatch(r"(?:change *< *)?(\d*\.?\d+(?:e-?\d+)?)", text)
    number = 0.0 if read is None else float(read[1])
    if not 0 < number < math.inf:
        raise BadInput(f"reconstruct: --until is like 'change<0.01', not {text!r}")
    return number
