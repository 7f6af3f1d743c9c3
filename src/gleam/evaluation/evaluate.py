"""Run methods over a test set, scan by scan, and score what they reconstruct.

Two numbers carry one name in the field, so both are kept apart here: *per slice* scores look at
one example alone, *per scan* scores at the whole volume at once (fastMRI). The range of the
fastMRI magnitude metrics is the maximum of the reference volume in both.
"""

import statistics
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import Tensor

from gleam.arrays import crop
from gleam.data import example as data
from gleam.data.batch import Batch
from gleam.device import described
from gleam.errors import BadInput
from gleam.evaluation.examples import Pictured, pictured, sampling_picture
from gleam.evaluation.fastmri import Reference, fastmri_score
from gleam.evaluation.result import Evaluation, ScanResult, together
from gleam.evaluation.scores import or_worst, score, score_frames
from gleam.formats.upright import Upright
from gleam.metrics import magnitude, psnr_complex
from gleam.physics.classical import CLASSICAL, TITLES
from gleam.reconstruction.reconstructor import Classical, Reconstructor

ROOM = 2**28  # bytes of pictures, packed, that an evaluation keeps unless it is told otherwise


@dataclass
class _Images:
    """Results of a method on a scan: an image of each slice, and PSNR after each iteration."""

    images: list[Tensor] = field(default_factory=list)
    progress: list[list[float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@dataclass
class _Scan:
    """One scan, reconstructed by every method; all that is in memory at one time."""

    name: str
    made: dict[str, _Images]
    slices: list[int] = field(default_factory=list)
    targets: list[Tensor] = field(default_factory=list)
    masks: list[Tensor] = field(default_factory=list)
    upright: list[Upright | None] = field(default_factory=list)
    voxel: tuple[float, ...] = ()


def evaluate(
    methods: Mapping[str, Reconstructor],
    batches: Iterable[Batch],
    room: int = ROOM,
    raw: Mapping[str, Reference] = MappingProxyType({}),
    seen: Collection[str] | None = None,
) -> Evaluation:
    """Score every method on every example; see `scored`.

    Raises:
        BadInput: see there; or there is no example.
    """
    return together([*scored(methods, batches, room, raw, seen)], seen)


def scored(
    methods: Mapping[str, Reconstructor],
    batches: Iterable[Batch],
    room: int = ROOM,
    raw: Mapping[str, Reference] = MappingProxyType({}),
    seen: Collection[str] | None = None,
) -> Iterator[dict[str, ScanResult]]:
    """The results of every method on each scan; the scores are computed on the CPU.

    Args:
        methods: at least one, by the names that tables and pictures call them.
        batches: the test set, scan after scan; only one scan is held in memory. Images are judged
            cropped to the batch's matrix.
        room: bytes of pictures that are kept, of the first scans, all slices of each.
        raw: by scan, what fastMRI would compare with; see `gleam.evaluation.fastmri`.
        seen: the methods whose pictures are kept; all by default.

    Raises:
        BadInput: no method; an example without a target; examples of a scan that do not follow each
            other; an image that differs from the target in shape.
    """
    if not methods:
        raise BadInput("methods: none is given, so there is nothing to evaluate")
    devices = {name: described(method.device) for name, method in methods.items()}
    shown = methods.keys() if seen is None else seen
    known: set[str] = set()
    for scan in _scans(methods, batches):
        if scan.name in known:
            raise BadInput(
                f"test set: the examples of scan {scan.name!r} do not follow each other; "
                "do not shuffle, and give every scan its own name"
            )
        picture = _pictured(scan, shown) if room > 0 else None
        room -= 0 if picture is None else picture.nbytes
        if room < 0 and known:  # the first has its pictures, however large
            picture = None
        known.add(scan.name)
        yield _results(scan, devices, raw.get(scan.name), picture)


def baselines(device: torch.device, examples: Sequence[data.Example]) -> dict[str, Reconstructor]:
    """Methods that are always compared with, by the names that tables call them.

    Zero filling and CG-SENSE; a sliding window, where some of the examples are series; and wavelets
    or, where all are series, total variation over time.
    """
    series = [example.shape[2] > 1 for example in examples]
    names = ["zero-filled", "cg-sense"]
    names += ["sliding-window"] * any(series) + ["temporal-tv" if all(series) else "wavelet"]
    return {TITLES[name]: Classical(name, CLASSICAL[name], device=device) for name in names}


def _scans(methods: Mapping[str, Reconstructor], batches: Iterable[Batch]) -> Iterator[_Scan]:
    """Reconstruct batch by batch, hand over scan by scan."""
    scan: _Scan | None = None
    for batch in batches:
        if batch.target is None:
            raise BadInput(f"test set: scan {batch.scans[0]!r} has no target to measure against")
        target = crop(batch.target, batch.matrix).cpu()
        mask = batch.measurement.mask.cpu()
        mask = mask.expand(len(target), *mask.shape[1:])
        made = {name: _run(name, method, batch, target) for name, method in methods.items()}
        for i, (name, number) in enumerate(zip(batch.scans, batch.slices, strict=True)):
            if scan is None or scan.name != name:
                if scan is not None:
                    yield scan
                scan = _Scan(name, {method: _Images() for method in methods}, voxel=batch.voxel)
            scan.slices.append(number)
            scan.targets.append(target[i : i + 1])
            scan.masks.append(mask[i, 0])
            scan.upright.append(batch.upright[i] if batch.upright else None)
            for method, (images, progress, seconds) in made.items():
                own = scan.made[method]
                own.images.append(images[i : i + 1])
                own.progress.append(progress[i])
                own.seconds.append(seconds / len(target))
    if scan is not None:
        yield scan


def _run(
    title: str, method: Reconstructor, batch: Batch, target: Tensor
) -> tuple[Tensor, list[list[float]], float]:
    """The result, the PSNR of each example after each iteration, and the seconds it took."""
    image: Tensor | None = None
    psnr: list[Tensor] = []
    seconds = 0.0
    start = time.perf_counter()
    for whole in method.iterates(batch.measurement):
        if whole.shape != batch.measurement.adjoint.shape:
            raise BadInput(
                f"{title}: reconstructs images of shape {tuple(whole.shape)}, but the "
                f"target has {tuple(batch.measurement.adjoint.shape)}; was it trained for "
                "other data?"
            )
        image = crop(whole, batch.matrix).cpu()  # waits for the device, so time is true
        seconds += time.perf_counter() - start
        psnr.append(or_worst(psnr_complex(image, target), image, "psnr_complex"))
        start = time.perf_counter()
    if image is None:
        raise BadInput(f"{title}: has no iteration, so it yields no image")
    return image, torch.stack(psnr, dim=1).tolist(), seconds


def _results(
    scan: _Scan, devices: Mapping[str, str], reference: Reference | None, picture: Pictured | None
) -> dict[str, ScanResult]:
    """The scores of a scan; the whole of it is an image whose slices count as frames."""
    targets = torch.cat(scan.targets)
    volume = torch.cat(scan.targets, dim=2)
    maximum = magnitude(volume).max().item()
    found = {}
    for method, own in scan.made.items():
        images, image = torch.cat(own.images), torch.cat(own.images, dim=2)
        (whole,) = score(method, scan.name, [None], image, volume, maximum)
        seen = picture is not None and method in picture.images
        found[method] = ScanResult(
            slices=score(method, scan.name, scan.slices, images, targets, maximum),
            whole=whole,
            frames=score_frames(method, scan.name, scan.slices, images, targets),
            progress=own.progress,
            seconds=statistics.median(own.seconds),
            device=devices[method],
            picture=picture.of({method: method}) if picture is not None and seen else None,
            fastmri=None
            if reference is None
            else fastmri_score(method, scan.name, _static(images), reference),
        )
    return found


def _static(images: Tensor) -> Tensor:
    """(slice, y, x) magnitude of a scan without frames, as fastMRI's are."""
    return magnitude(images)[:, 0]


def _pictured(scan: _Scan, methods: Collection[str]) -> Pictured:
    """All its slices; the sampling is that of the middle one."""
    target, middle = scan.targets[0], len(scan.slices) // 2
    return pictured(
        scan.name,
        scan.slices,
        torch.cat(scan.targets),
        {name: torch.cat(one.images) for name, one in scan.made.items() if name in methods},
        sampling_picture(scan.masks[middle], (target.shape[-2], target.shape[-1])),
        scan.voxel,
        scan.upright[0],
    )
