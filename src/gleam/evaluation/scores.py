"""The metrics of the house, and the scores a reconstruction gets in them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from gleam.arrays import Image
from gleam.metrics import magnitude, nmse, psnr_complex, psnr_magnitude, psnr_per_frame, ssim


@dataclass(frozen=True)
class Metric:
    """A metric, and how it is read.

    Attributes:
        label: for tables.
        unit: "dB" or none.
        higher: whether more is better.
        digits: after the decimal point.
        definition: one sentence.
    """

    label: str
    unit: str
    higher: bool
    digits: int
    definition: str


METRICS = {
    "psnr_complex": Metric(
        "PSNR, complex",
        "dB",
        True,
        2,
        "20 log₁₀(max|reference| / RMSE) of the complex image; errors of phase count.",
    ),
    "psnr_magnitude": Metric(
        "PSNR, magnitude",
        "dB",
        True,
        2,
        "20 log₁₀(maximum of the reference volume / RMSE) of the magnitude (fastMRI).",
    ),
    "nmse": Metric("NMSE", "", False, 4, "‖error‖² / ‖reference‖² of the magnitude (fastMRI)."),
    "ssim": Metric(
        "SSIM",
        "",
        True,
        4,
        "Structural similarity of the magnitude in 7×7 windows, averaged over slices; its range "
        "is the maximum of the reference volume (fastMRI).",
    ),
}


@dataclass(frozen=True)
class Score:
    """One method on one slice, or on a whole scan (`slice` is None).

    A metric is NaN where the reference is empty, ∞ at its bad end where the image is not finite.
    """

    method: str
    scan: str
    slice: int | None
    psnr_complex: float
    psnr_magnitude: float
    nmse: float
    ssim: float

    def __getitem__(self, metric: str) -> float:
        value: float = getattr(self, metric)
        return value


@dataclass(frozen=True)
class FrameScore:
    """One method on one frame of a slice of a series; see `gleam.metrics.psnr_per_frame`."""

    method: str
    scan: str
    slice: int
    frame: int
    psnr: float


def score_frames(
    method: str, scan: str, slices: Sequence[int], images: Image, targets: Image
) -> list[FrameScore]:
    """Score every frame of `images`, (slice, set, frame, *space); nothing where there is but one.

    −∞ where a frame is not finite.
    """
    frames = targets.shape[2]
    if frames == 1:
        return []
    finite = images.isfinite().transpose(1, 2).flatten(2).all(dim=2)
    rows = psnr_per_frame(images, targets).where(finite, -math.inf).tolist()
    return [
        FrameScore(method, scan, number, frame, psnr)
        for number, row in zip(slices, rows, strict=True)
        for frame, psnr in enumerate(row)
    ]


def score(
    method: str,
    scan: str,
    slices: Sequence[int | None],
    images: Image,
    targets: Image,
    maximum: float,
) -> list[Score]:
    """Score `images` against `targets`, both (slice, set, frame, *space).

    Args:
        method: name of the method.
        scan: name of the scan.
        slices: number of each slice; None where the example is the whole scan.
        images: the reconstructions.
        targets: the references.
        maximum: of the magnitude of the whole reference scan: the range of the magnitude metrics.
    """
    found, wanted = magnitude(images), magnitude(targets)
    peak = wanted.new_full((len(images),), maximum)
    columns = {
        "psnr_complex": psnr_complex(images, targets),
        "psnr_magnitude": psnr_magnitude(found, wanted, peak),
        "nmse": nmse(found, wanted),
        "ssim": ssim(found, wanted, peak),
    }
    settled = (or_worst(column, images, metric).tolist() for metric, column in columns.items())
    rows = zip(*settled, strict=True)
    return [Score(method, scan, number, *row) for number, row in zip(slices, rows, strict=True)]


def or_worst(
    values: Float[Tensor, " batch"], images: Image, metric: str
) -> Float[Tensor, " batch"]:
    """The values, infinitely bad where an image is not finite: a failure must not drop out."""
    worst = -math.inf if METRICS[metric].higher else math.inf
    return values.where(images.isfinite().flatten(1).all(dim=1), worst)
