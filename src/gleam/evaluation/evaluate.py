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
from gleam.evaluation.fastmri import FastmriScore, Reference, fastmri_score
from gleam.evaluation.scores import FrameScore, Score, or_worst, score, score_frames
from gleam.formats.upright import Upright
from gleam.metrics import magnitude, psnr_complex
from gleam.physics.classical import CLASSICAL, TITLES
from gleam.reconstruction.checked import Check
from gleam.reconstruction.reconstructor import Classical, Reconstructor

ROOM = 2**28  # bytes of pictures, packed, that an evaluation keeps unless it is told otherwise


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        methods: names, in the order given.
        slices: a score per example and method.
        scans: a score per scan and method.
        frames: of series, a PSNR per example, frame and method.
        iterations: method → mean complex PSNR (dB) per slice after each iteration.
        seconds: method → seconds per slice, median over batches.
        pictures: of the first scans, as many as there was room for.
        fastmri: a score per scan and method, of scans whose raw file has what to compare with.
        device: what the methods computed on, in words.
        checks: of scans, without the truth, where they were asked for.
        progress: method → complex PSNR (dB) of each slice after each iteration.
    """

    methods: list[str]
    slices: list[Score]
    scans: list[Score]
    frames: list[FrameScore]
    iterations: dict[str, list[float]]
    seconds: dict[str, float]
    pictures: list[Pictured]
    fastmri: list[FastmriScore] = field(default_factory=list)
    device: str = ""
    checks: list[Check] = field(default_factory=list)
    progress: dict[str, list[list[float]]] = field(default_factory=dict)


@dataclass
class _Result:
    """One method on one scan: an image and PSNR per iteration for each slice."""

    images: list[Tensor] = field(default_factory=list)
    progress: list[list[float]] = field(default_factory=list)


@dataclass
class _ScanResult:
    """One scan, reconstructed by every method; all that is in memory at one time."""

    name: str
    results: dict[str, _Result]
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
    """Score every method on every example; the scores are computed on the CPU.

    Args:
        methods: at least one, by the names that tables and pictures call them.
        batches: the test set, scan after scan; only one scan is held in memory. Images are judged
            cropped to the batch's matrix.
        room: bytes of pictures that are kept, of the first scans, all slices of each.
        raw: by scan, what fastMRI would compare with; see `gleam.evaluation.fastmri`.
        seen: the methods whose pictures are kept; all by default.

    Raises:
        BadInput: no method; no example, or one without a target; examples of
            a scan that do not follow each other; an image that differs from the target in shape.
    """
    names = [*methods]
    if not names:
        raise BadInput("methods: none is given, so there is nothing to evaluate")
    devices = dict.fromkeys(described(method.device) for method in methods.values())
    result = Evaluation(names, [], [], [], {}, {}, [], device="; ".join(devices))
    progress: dict[str, list[list[float]]] = {name: [] for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    known: set[str] = set()
    full = room <= 0
    for scan in _scans(methods, batches, seconds):
        if scan.name in known:
            raise BadInput(
                f"test set: the examples of scan {scan.name!r} do not follow each other; "
                "do not shuffle, and give every scan its own name"
            )
        known.add(scan.name)
        slices, whole, frames = _score(scan)
        result.slices.extend(slices)
        result.scans.extend(whole)
        result.frames.extend(frames)
        if scan.name in raw:
            result.fastmri.extend(
                fastmri_score(method, scan.name, _static(one.images), raw[scan.name])
                for method, one in scan.results.items()
            )
        if not full:
            shown = _pictured(scan, names if seen is None else seen)
            room -= shown.nbytes
            full = room < 0
            if not full or not result.pictures:
                result.pictures.append(shown)
        for name in names:
            progress[name].extend(scan.results[name].progress)
    if not known:
        raise BadInput("test set: it holds no example, so there is nothing to evaluate")
    for name in names:
        result.progress[name] = progress[name]
        result.iterations[name] = mean_progress(progress[name])
        result.seconds[name] = statistics.median(seconds[name])
    return result


def baselines(device: torch.device, examples: Sequence[data.Example]) -> dict[str, Reconstructor]:
    """Methods that are always compared with, by the names that tables call them.

    Zero filling and CG-SENSE; a sliding window, where some of the examples are series; and wavelets
    or, where all are series, total variation over time.
    """
    series = [example.shape[2] > 1 for example in examples]
    names = ["zero-filled", "cg-sense"]
    names += ["sliding-window"] * any(series) + ["temporal-tv" if all(series) else "wavelet"]
    return {TITLES[name]: Classical(name, CLASSICAL[name], device=device) for name in names}


def _scans(
    methods: Mapping[str, Reconstructor],
    batches: Iterable[Batch],
    seconds: dict[str, list[float]],
) -> Iterator[_ScanResult]:
    """Reconstruct batch by batch, hand over scan by scan."""
    scan: _ScanResult | None = None
    for batch in batches:
        if batch.target is None:
            raise BadInput(f"test set: scan {batch.scans[0]!r} has no target to measure against")
        target = crop(batch.target, batch.matrix).cpu()
        mask = batch.measurement.mask.cpu()
        mask = mask.expand(len(target), *mask.shape[1:])
        images, progress = {}, {}
        for title, method in methods.items():
            images[title], progress[title], spent = _run(title, method, batch, target)
            seconds[title].append(spent / len(target))
        for i, (name, number) in enumerate(zip(batch.scans, batch.slices, strict=True)):
            if scan is None or scan.name != name:
                if scan is not None:
                    yield scan
                results = {title: _Result() for title in methods}
                scan = _ScanResult(name, results, voxel=batch.voxel)
            scan.slices.append(number)
            scan.targets.append(target[i : i + 1])
            scan.masks.append(mask[i, 0])
            scan.upright.append(batch.upright[i] if batch.upright else None)
            for method_name, result in scan.results.items():
                result.images.append(images[method_name][i : i + 1])
                result.progress.append(progress[method_name][i])
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


def _score(scan: _ScanResult) -> tuple[list[Score], list[Score], list[FrameScore]]:
    """Scores per slice, of the whole, and per frame.

    The whole is an image whose slices count as frames.
    """
    targets = torch.cat(scan.targets)
    volume = torch.cat(scan.targets, dim=2)
    maximum = magnitude(volume).max().item()
    slices: list[Score] = []
    whole: list[Score] = []
    frames: list[FrameScore] = []
    for method, result in scan.results.items():
        images = torch.cat(result.images)
        slices += score(method, scan.name, scan.slices, images, targets, maximum)
        frames += score_frames(method, scan.name, scan.slices, images, targets)
        images = torch.cat(result.images, dim=2)
        whole += score(method, scan.name, [None], images, volume, maximum)
    return slices, whole, frames


def _static(images: Sequence[Tensor]) -> Tensor:
    """(slice, y, x) magnitude of a scan without frames, as fastMRI's are."""
    return magnitude(torch.cat([*images]))[:, 0]


def _pictured(scan: _ScanResult, methods: Collection[str]) -> Pictured:
    """All its slices; the sampling is that of the middle one."""
    target, middle = scan.targets[0], len(scan.slices) // 2
    return pictured(
        scan.name,
        scan.slices,
        torch.cat(scan.targets),
        {name: torch.cat(one.images) for name, one in scan.results.items() if name in methods},
        sampling_picture(scan.masks[middle], (target.shape[-2], target.shape[-1])),
        scan.voxel,
        scan.upright[0],
    )


def mean_progress(progress: list[list[float]]) -> list[float]:
    """Mean over slices after each iteration; who stops early stays where it stopped."""
    length = max(map(len, progress))
    padded = [one + one[-1:] * (length - len(one)) for one in progress]
    return torch.tensor(padded, dtype=torch.float64).nanmean(dim=0).tolist()
