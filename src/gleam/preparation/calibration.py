"""The calibration region, a centre of k-space: coil sensitivities and intensity scale are read off
it.

It is one of three:

- the scan's own centre, where every frame sampled it in full. Frames are never averaged then: they
  may differ in sign and contrast, as in inversion recovery, phase cycling and multi-echo series,
  and cancel. All their coils are the same, so they count one beside the other;
- where frames have no centre in common, the average over time: each position is the mean of the
  frames that have it, and is sampled if any frame has it (Kellman et al., MRM 2001). So it is for a
  fully sampled series, too, when its masks are to keep no calibration lines. Then only those frames
  of a position count that an interleaved scan, 8 times accelerated, would have had: all frames
  together would be a better average than accelerated data can give;
- the centre of a reference scan of the same coils and field of view: one that the user names, or
  else, where the scan has no centre of its own, the one that came with it.
"""

import math
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from gleam.errors import BadInput
from gleam.formats.scan import Scan, calibration_box
from gleam.preparation.centre import Box, Calibration, energy, in_box, read_centre
from gleam.preparation.grid import Grid
from gleam.preparation.reference import matched

_READOUT = 24  # samples of the readout that go with the calibration lines
_INTERLEAVES = 8  # frames until an interleaved scan is back at the same line


class Uncalibrated(BadInput):
    """A scan has nothing to calibrate its coils from."""


def calibrate(
    scan: Scan, grid: Grid, lines: int | None, reference: Scan | None = None
) -> Calibration:
    """The centre of k-space that a scan is calibrated from.

    Args:
        scan: the scan.
        grid: what it is prepared on.
        lines: along each axis in k-space; None takes 8 % of them, at least 10, and up to 32 of an
            undersampled scan's own. 0 for masks that keep none; up to 32 are then used, of the
            reference or of the average over time.
        reference: one to use in any case.

    Raises:
        BadInput: see `from_itself` and `from_reference`.
    """
    if reference is None and _available(scan, grid, lines) is None:
        reference = scan.reference
    if reference is None:
        return from_itself(scan, grid, lines)
    return from_reference(scan, grid, reference, lines)


def from_itself(scan: Scan, grid: Grid, lines: int | None) -> Calibration:
    """The centre of the scan's own k-space, of all frames together or averaged over time.

    Args:
        scan: the scan.
        grid: what it is prepared on.
        lines: as for `calibrate`.

    Raises:
        Uncalibrated: there is no fully sampled centre.
        BadInput: it is smaller than asked for; or masks are to keep none of it, and there is one
            frame only.
    """
    pattern = grid.pattern(scan)
    if lines == 0:
        if scan.kspace.shape[2] == 1:
            raise BadInput(
                f"{scan.name}: has one frame, so there is no average over time to calibrate coils "
                "from; keep 1 calibration line or more, or give a --reference of the same coils"
            )
        if scan.complete:
            pattern = pattern & _interleaved(scan, grid)
    available = _available(scan, grid, lines)
    if available is None:
        raise Uncalibrated(
            f"{scan.name}: has no fully sampled centre of k-space to calibrate coils from; scan "
            "with calibration lines, or give gleam prepare or reconstruct a --reference of the "
            "same coils; without either, `gleam reconstruct zero-filled` still makes an image"
        )
    box = _box(scan, grid, available, lines)
    return read_centre(scan, grid, pattern, box, _kept(grid, box, lines))


def from_reference(scan: Scan, grid: Grid, reference: Scan, lines: int | None) -> Calibration:
    """The centre of another scan's k-space.

    The gain is the root of the ratio of their energies, means over frames, at the positions in the
    centre that both sampled.

    Args:
        scan: the scan to be calibrated.
        grid: what it is prepared on.
        reference: the other; its resolution may be lower, its contrast another.
        lines: as for `calibrate`.

    Raises:
        BadInput: the reference is of other coils or another place, or has no fully sampled centre
            of the size asked for; or the scan holds nothing there.
    """
    there = matched(scan, grid, reference)
    available = _available(reference, there, None)
    if available is None:
        raise BadInput(
            f"{reference.name}: has no fully sampled centre of k-space; give a reference that has"
        )
    box = _box(scan, grid, available, lines)
    kept, pattern = _kept(grid, box, lines), grid.pattern(scan)
    calibration = read_centre(reference, there, there.pattern(reference), box, kept)
    pattern = in_box(scan, grid, pattern, box)
    own = energy(scan, grid, pattern, box)
    its = float((calibration.kspace * pattern.any(0)).abs().square().sum())
    if its == 0 or own == 0:
        raise BadInput(
            f"{scan.name}: holds no signal where its reference {reference.name} is sampled"
        )
    warnings = tuple(f"its reference: {warning}" for warning in calibration.warnings)
    return replace(calibration, gain=math.sqrt(own / its), warnings=warnings)


def _available(scan: Scan, grid: Grid, lines: int | None) -> Box | None:
    """Size along each axis of the largest centre that can be calibrated from.

    It is that of every frame, or of the average over time if that is too small.
    """
    own = _centred(grid, scan.calibration)
    if (scan.sampled == scan.sampled[:1]).all():
        return own
    limits = calibration_box(np.broadcast_to(scan.sampled.any(0), (1, *scan.space)))
    averaged = _centred(grid, limits)
    if own is None or averaged is None or lines == 0:
        return averaged
    wanted = (min(lines or _usual(n), most) for n, most in zip(grid.space, averaged, strict=True))
    enough = all(n >= least for n, least in zip(own, wanted, strict=True))
    return own if enough else averaged


def _centred(grid: Grid, limits: tuple[tuple[int, int], ...] | None) -> Box | None:
    """The size of a box with the zero frequency in its middle, between limits."""
    if limits is None:
        return None
    box = list(grid.space)
    for axis in grid.axes:
        (start, stop), middle = limits[axis], grid.space[axis] // 2
        box[axis] = min(2 * (middle - start) + 1, 2 * (stop - middle), stop - start)
    return tuple(box)


def _usual(size: int) -> int:
    """Calibration lines of so many."""
    return max(10, round(0.08 * size))


def _box(scan: Scan, grid: Grid, available: Box, lines: int | None) -> Box:
    """Size along each axis of the centre that is used."""
    box = []
    for axis, size in zip(range(-len(grid.space), 0), grid.space, strict=True):
        most = min(available[axis], size)
        if axis == grid.decoded:
            box.append(min(_READOUT, most))
            continue
        usual = _usual(size) if scan.complete and lines is None else 32
        wanted = lines or min(usual, most)
        if not 1 <= wanted <= most:
            raise BadInput(
                f"{scan.name}: {wanted} calibration lines asked for, but {most} of {size} are "
                f"sampled; ask for 1 to {most}"
            )
        box.append(wanted)
    return tuple(box)


def _kept(grid: Grid, box: Box, lines: int | None) -> Box:
    """The part of the box that masks keep: all of it, or nothing along the axes in k-space."""
    axes = range(-len(box), 0)
    return tuple(0 if lines == 0 and a in grid.axes else n for a, n in zip(axes, box, strict=True))


def _interleaved(scan: Scan, grid: Grid) -> Bool[Tensor, "frame *space"]:
    """Positions that an interleaved scan samples: every so many lines, one further with each
    frame."""
    frames = scan.kspace.shape[2]
    every = min(_INTERLEAVES, frames)  # or else there would be lines that no frame has
    readout = None if scan.readout is None else scan.readout - len(scan.space)
    position = -torch.arange(frames).reshape(-1, *[1] * len(scan.space))
    for axis in grid.axes:
        if axis != readout:
            along = torch.arange(grid.space[axis])
            position = position + along.reshape(-1, *[1] * (-1 - axis))
    return position % every == 0
