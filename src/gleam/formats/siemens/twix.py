"""Siemens raw data, twix (.dat): VB, VD, VE and XA, Cartesian.

Every line becomes an ISMRMRD acquisition, and the rules of `gleam.formats.mrd.acquisitions` hold
for slices, frames, averages, partial Fourier, reversed lines, calibration and noise. Source:
https://github.com/ismrmrd/siemens_to_ismrmrd, `main.cpp`.

    Lin, Par, Ave, Sli, Eco, Phs, Rep, Set, Seg    counters; Eco is the contrast
    SamplesInScan, UsedChannels                    size
    TimeStamp                                      in ticks of 2.5 ms, for the time between frames
    CenterCol, CutOff                              centre of the readout, samples to leave out
    CenterLin, CenterPar                           centres of the phase encodings
    SlicePos                                       centre of the slice or slab, mm, LPS
    Quaternion                                     w, x, y, z: turns phase, readout, slice into LPS
    EvalInfoMask                                   noise 25, reversed 24, calibration 22, which is
                                                   imaging, too 23; of no use for imaging: `_OTHER`

- The last measurement of a file is the scan, unless another is asked for; noise is taken from those
  before it, too, at its own bandwidth.
- The protocol (see `gleam.formats.siemens.protocol`) gives sizes and contrast, nothing of the
  patient.
- The phase correction of EPI is not applied.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.mrd.acquisitions import assemble
from gleam.formats.mrd.extent import energy_centre
from gleam.formats.mrd.head import (
    ACQUISITION_HEADER,
    CALIBRATION,
    CALIBRATION_AND_IMAGING,
    NOISE,
    REVERSED,
)
from gleam.formats.parts import Scans, called
from gleam.formats.region import bounding_box, is_complete
from gleam.formats.scan import Scan
from gleam.formats.siemens.blocks import load, measurements
from gleam.formats.siemens.protocol import header

_COUNTERS = {
    "kspace_encode_step_1": "Lin",
    "kspace_encode_step_2": "Par",
    "average": "Ave",
    "slice": "Sli",
    "contrast": "Eco",
    "phase": "Phs",
    "repetition": "Rep",
    "set": "Set",
    "segment": "Seg",
}


_SERIES = ("Eco", "Phs", "Rep", "Set", "Sli")  # of which some may be whole


def _bits(*numbers: int) -> np.uint64:
    return np.uint64(sum(1 << number for number in numbers))


_REFERENCE, _REFERENCE_AND_IMAGE, _REFLECT, _NOISE = map(_bits, (22, 23, 24, 25))
# Feedback (two kinds), surface coil correction, phase stabilisation with its reference, phase
# correction, dummies.
_OTHER = _bits(1, 2, 10, 14, 15, 21, 51)


def read(path: Path, measurement: str | None = None) -> Scans:
    """Read a measurement of a file; its lines stay there until a slice is asked for.

    Args:
        path: the file.
        measurement: its number, counted from 1; by default the last.

    Raises:
        BadInput: twixtools is not installed; the file is damaged, not Cartesian, or contradicts
            itself; or it has no such measurement.
    """
    found = measurements(path)
    numbers = [str(number + 1) for number in range(len(found))]
    chosen = measurement or numbers[-1]
    if chosen not in numbers:
        raise BadInput(
            f"{path}: holds no measurement {chosen!r}; --group is one of {', '.join(numbers)}"
        )
    *before, scan = found[: int(chosen)]
    imaging = scan.heads[~_flagged(scan.heads, _NOISE | _OTHER)]
    if not imaging.size:
        where = ", and is cut off" if scan.cut else ""
        raise BadInput(f"{path}: its measurement {chosen} holds no imaging line{where}")
    keep = [(m, _flagged(m.heads, _NOISE)) for m in before]
    keep.append((scan, ~_flagged(scan.heads, _OTHER)))
    heads = np.concatenate([m.heads[kept] for m, kept in keep])
    lines = partial(
        load,
        path=path,
        starts=np.concatenate([m.starts[kept] for m, kept in keep]),
        shapes=np.stack([heads["UsedChannels"], heads["SamplesInScan"]], axis=1),
        gap=scan.gap,
    )
    ours = _acquisitions(heads)
    images = ~_flagged(heads, _NOISE)
    images[: -np.count_nonzero(keep[-1][1])] = False  # those of earlier measurements
    try:
        encoding = header(
            scan.buffers,
            imaging,
            lambda axis, middle: energy_centre(ours, images, axis, middle, lines),
        )
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    scans = assemble(called(path), lambda _: encoding, ours, lines)
    cut_off = partial(_cut_off, path, imaging) if scan.cut else None
    which = f", measurement {chosen} of {len(found)}" if len(found) > 1 else ""
    words = f"Siemens twix{which}"
    return {part: partial(_complete, words, read, cut_off) for part, read in scans.items()}


def _complete(
    words: str, read: Callable[[], Scan], cut_off: Callable[[Scan], tuple[str, ...]] | None
) -> Scan:
    scan = read()
    cut = () if cut_off is None else cut_off(scan)
    return replace(scan, format=words, warnings=(*cut, *scan.warnings))


def _cut_off(path: Path, imaging: NDArray[Any], scan: Scan) -> tuple[str, ...]:
    """A warning where what lies before the cut is worth it: some of a series, or every line."""
    lines: NDArray[np.bool_] = np.logical_or.reduce(scan.sampled, axis=1, keepdims=True)
    reaches = [(edges.start, edges.stop) for edges in bounding_box(lines)]
    every_line = is_complete(lines) and reaches == [(0, n) for n in lines.shape[1:]]
    if not every_line and not any(np.ptp(imaging["Counter"][one]) for one in _SERIES):
        raise BadInput(
            f"{path}: is cut off after {len(imaging)} lines, which are not enough for an image; "
            "export it again"
        )
    return (f"the file is cut off after {len(imaging)} lines; what lies before was read",)


def _flagged(heads: NDArray[Any], bits: np.uint64) -> NDArray[np.bool_]:
    has: NDArray[np.bool_] = (heads["EvalInfoMask"] & bits) != 0
    return has


def _acquisitions(heads: NDArray[Any]) -> NDArray[Any]:
    """Siemens' heads as ISMRMRD's."""
    ours = np.zeros(len(heads), ACQUISITION_HEADER)
    ours["acquisition_time_stamp"] = heads["TimeStamp"]
    ours["number_of_samples"] = heads["SamplesInScan"]
    ours["active_channels"] = heads["UsedChannels"]
    ours["center_sample"] = heads["CenterCol"]
    ours["discard_pre"], ours["discard_post"] = heads["CutOff"]["Pre"], heads["CutOff"]["Post"]
    for counter, theirs in _COUNTERS.items():
        ours["idx"][counter] = heads["Counter"][theirs]

    joint = _flagged(heads, _REFERENCE_AND_IMAGE)
    ours["flags"][_flagged(heads, _NOISE)] |= NOISE
    ours["flags"][_flagged(heads, _REFLECT)] |= REVERSED
    ours["flags"][_flagged(heads, _REFERENCE) & ~joint] |= CALIBRATION
    ours["flags"][joint] |= CALIBRATION_AND_IMAGING

    place = heads["SliceData"]["SlicePos"]
    ours["position"] = np.stack([place[axis] for axis in ("Sag", "Cor", "Tra")], axis=1)
    w, *xyz = heads["SliceData"]["Quaternion"].T
    axis = np.stack(xyz, axis=1)
    with np.errstate(over="ignore", invalid="ignore"):  # `assemble` refuses what comes of it
        for direction, unit in zip(("phase_dir", "read_dir", "slice_dir"), np.eye(3), strict=True):
            twice = 2 * np.cross(axis, unit)
            ours[direction] = unit + w[:, None] * twice + np.cross(axis, twice)
    return ours
