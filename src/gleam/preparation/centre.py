"""The centre of k-space that a scan is calibrated from, read: frames side by side, or averaged.

Frames that differ in sign or contrast cancel in an average. So they are averaged only where they
interleave their lines and none holds the centre by itself. Otherwise all of them count, as a few
virtual frames: a series of a thousand takes no more memory than one of eight.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Complex
from torch import Tensor

from gleam.arrays import centre, crop
from gleam.errors import BadInput
from gleam.formats.lazy import each_coil
from gleam.formats.scan import Array, Scan
from gleam.physics.coils import compression_matrix, mix
from gleam.preparation.grid import Grid

_FRAMES = 8  # virtual ones that stand for all frames; more would be next to nothing but noise
_LEFT = 0.25  # of the frames' energy: with less in their average, they cancel

Box = tuple[int, ...]


@dataclass(frozen=True)
class Calibration:
    """The centre of k-space that a scan is calibrated from.

    Attributes:
        kspace: centred along every axis; coils and intensities as they were scanned. The energies
            of its frames add up to the mean energy of the scan's.
        kept: size along each space axis of what masks keep of it.
        gain: what brings these intensities to those of the scan to be calibrated.
        warnings: what looks odd, see `Scan`.
    """

    kspace: Complex[Tensor, "slice coil frame *box"]
    kept: Box
    gain: float = 1.0
    warnings: tuple[str, ...] = ()


def read_centre(
    scan: Scan, grid: Grid, pattern: Bool[Tensor, "frame *space"], box: Box, kept: Box
) -> Calibration:
    """The samples that `pattern` says: frames side by side if each has all of them, or averaged.

    Args:
        scan: the scan.
        grid: what its centre is wanted on.
        pattern: (frame, *space), what to read.
        box: size of the centre along each space axis.
        kept: of it, by masks.

    Raises:
        BadInput: samples that are no numbers, or that cannot be read.
    """
    pattern = in_box(scan, grid, pattern, box)
    if not pattern.all():
        return _averaged(scan, grid, pattern, box, kept)
    slices = [_few(torch.stack(list(coils))) for coils in _centres(scan, grid, box)]
    return Calibration(torch.stack(slices), kept)


def _averaged(scan: Scan, grid: Grid, pattern: Tensor, box: Box, kept: Box) -> Calibration:
    """Each position's mean over the frames that have it; zero where there are none."""
    counts = pattern.sum(0).clamp(min=1)
    slices, total = [], 0.0
    for coils in _centres(scan, grid, box):
        means = []
        for coil in coils:
            means.append((coil * pattern).sum(0) / counts)
            total += float(((coil * pattern).abs().square().sum(0) / counts).sum())
        slices.append(torch.stack(means)[:, None])
    average = torch.stack(slices)
    left = float(average.abs().square().sum()) / total if total else 1.0
    warnings: tuple[str, ...] = ()
    if left < _LEFT:
        warnings = (
            "its frames differ in sign or contrast: their average over time, which coils are "
            f"calibrated from, holds {100 * left:.2g} % of their energy; keep calibration lines in "
            "every frame, or give gleam prepare or reconstruct a --reference of the same coils",
        )
    average *= (left or 1) ** -0.5  # to the root of the mean energy
    return Calibration(average, kept, warnings=warnings)


def _few(kspace: Complex[Tensor, "coil frame *box"]) -> Complex[Tensor, "coil few *box"]:
    """Virtual frames that hold next to all energy, over the root of the number of frames.

    Frames that are mixed unitarily have the same energy, the same white noise, and together the
    same Gram matrix of calibration. Frames that are alike become one, their mean.
    """
    frames = kspace.shape[1]
    if frames == 1:
        return kspace
    return mix(kspace, compression_matrix(kspace, min(frames, _FRAMES))) / math.sqrt(frames)


def energy(scan: Scan, grid: Grid, pattern: Bool[Tensor, "frame *space"], box: Box) -> float:
    """Energy of the centre of k-space, at each position the mean over the frames that have it."""
    counts = pattern.sum(0).clamp(min=1)
    return math.fsum(
        float(((coil * pattern).abs().square().sum(0) / counts).sum())
        for coils in _centres(scan, grid, box)
        for coil in coils
    )


def _centres(scan: Scan, grid: Grid, box: Box) -> Iterator[Iterator[Tensor]]:
    """The centre of k-space (frame, *box), slice by slice and coil by coil."""
    for index in range(scan.kspace.shape[0]):
        yield (_centre(scan, grid, box, index, coil) for coil in each_coil(scan.kspace, index))


def _centre(scan: Scan, grid: Grid, box: Box, index: int, coil: Array) -> Tensor:
    kspace = torch.from_numpy(coil)
    if not torch.isfinite(torch.view_as_real(kspace)).all():
        raise BadInput(f"{scan.name}: slice {index} of its k-space has NaN or Inf")
    for axis in grid.axes:
        kspace = centre(kspace, axis, box[axis])
    return crop(grid.encode(grid.decode(kspace)), box)


def in_box(
    scan: Scan, grid: Grid, pattern: Bool[Tensor, "#frame *space"], box: Box
) -> Bool[Tensor, "frame *box"]:
    """The part of a pattern that lies in the box; of length 1 along axes that do not vary."""
    for axis in grid.axes:
        if pattern.shape[axis] > 1:
            pattern = centre(pattern, axis, box[axis])
    return pattern.expand(scan.kspace.shape[2], *pattern.shape[1:])
