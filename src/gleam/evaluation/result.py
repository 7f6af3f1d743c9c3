"""Results of an evaluation: of one method on one scan, and of all of them together."""

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from gleam.errors import BadInput
from gleam.evaluation.examples import Pictured
from gleam.evaluation.fastmri import FastmriScore
from gleam.evaluation.scores import FrameScore, Score
from gleam.reconstruction.checked import Check


@dataclass(frozen=True)
class ScanResult:
    """One method on one scan.

    Attributes:
        slices: a score per slice.
        whole: the score of the scan.
        frames: of a series, a PSNR per slice and frame.
        progress: complex PSNR (dB) of each slice after each iteration.
        seconds: per slice, the median.
        device: that it computed on, in words.
        picture: the scan with this method's images; None where there was no room, or it is not to
            be seen.
        fastmri: the score that fastMRI gives it, where the raw file has what to compare with.
    """

    slices: Sequence[Score]
    whole: Score
    frames: Sequence[FrameScore]
    progress: Sequence[Sequence[float]]
    seconds: float
    device: str
    picture: Pictured | None = None
    fastmri: FastmriScore | None = None


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        methods: names, in the order given.
        slices: a score per example and method.
        scans: a score per scan and method.
        frames: of series, a PSNR per example, frame and method.
        iterations: method → mean complex PSNR (dB) per slice after each iteration.
        seconds: method → seconds per slice, the median of the scans'.
        pictures: of the first scans, as many as there was room for.
        fastmri: a score per scan and method, of scans whose raw file has what to compare with.
        device: what the methods computed on, in words.
        checks: of scans, without the truth, where they were asked for.
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


def together(
    scans: Sequence[Mapping[str, ScanResult]], seen: Collection[str] | None = None
) -> Evaluation:
    """The evaluation of the same methods on several scans.

    Args:
        scans: the results on each, by method.
        seen: methods whose pictures are shown; all by default.

    Raises:
        BadInput: there is no scan.
    """
    if not scans:
        raise BadInput("test set: it holds no example, so there is nothing to evaluate")
    methods = [*scans[0]]
    results = [one for scan in scans for one in scan.values()]
    pictures = [picture_of(scan, seen) for scan in scans]
    return Evaluation(
        methods=methods,
        slices=[score for one in results for score in one.slices],
        scans=[one.whole for one in results],
        frames=[score for one in results for score in one.frames],
        iterations={m: _mean([psnr for one in scans for psnr in one[m].progress]) for m in methods},
        seconds={m: statistics.median(one[m].seconds for one in scans) for m in methods},
        pictures=[picture for picture in pictures if picture is not None],
        fastmri=[one.fastmri for one in results if one.fastmri is not None],
        device="; ".join(dict.fromkeys(one.device for one in results)),
    )


def picture_of(
    scan: Mapping[str, ScanResult], seen: Collection[str] | None = None
) -> Pictured | None:
    """A scan with the images of the methods that are to be seen; None where one has none."""
    shown = [one.picture for name, one in scan.items() if seen is None or name in seen]
    pictures = [picture for picture in shown if picture is not None]
    if not pictures or len(pictures) < len(shown):
        return None
    images = {name: image for picture in pictures for name, image in picture.images.items()}
    return replace(pictures[0], images=images)


def _mean(progress: Sequence[Sequence[float]]) -> list[float]:
    """Mean over slices after each iteration; who stops early stays where it stopped."""
    length = max(map(len, progress))
    padded = [[*one, *[one[-1]] * (length - len(one))] for one in progress]
    return torch.tensor(padded, dtype=torch.float64).nanmean(dim=0).tolist()
