"""Place of each ISMRMRD acquisition in k-space: a table of lines, with the fields of `LINE`.

The rules are those of `gleam.formats.mrd.acquisitions`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.mrd.geometry import slice_order
from gleam.formats.mrd.head import FRAME, REVERSED, Records, flagged
from gleam.formats.mrd.header import Header

LINE = np.dtype(
    [
        ("index", np.int64),  # which acquisition
        ("slice", np.int64),  # all counted from 0
        ("frame", np.int64),
        ("step_1", np.int64),  # its place along the phase encodings
        ("step_2", np.int64),
        ("start", np.int64),  # and along the readout, up to `stop`, exclusive
        ("stop", np.int64),
        ("first", np.int64),  # which samples go there, of those acquired, up to `last`, exclusive
        ("last", np.int64),
        ("reversed", np.bool_),
        ("weight", np.float32),  # one over the number of averages, with a sign
    ]
)
_SPARSEST = 256  # no scan samples fewer than one in so many positions


def lay_out(
    name: str,
    header: Header,
    heads: Records,
    imaging: NDArray[np.bool_],
    calibration: NDArray[np.bool_],
) -> Records:
    """The table of lines, in the order of `heads`.

    Args:
        name: of the scan, for messages.
        header: the encoding.
        heads: (acquisition,) of dtype `ACQUISITION_HEADER`.
        imaging: (acquisition,) those that make the scan; some do.
        calibration: (acquisition,) those that join where imaging has none.

    Raises:
        BadInput: lines outside the encoded matrix, or several in one place.
    """
    idx, frame = heads["idx"], np.zeros(len(heads), np.uint64)
    for counter in FRAME:
        frame = (frame << np.uint64(16)) | idx[counter]
    frames, slices = np.unique(frame[imaging]), np.unique(idx["slice"][imaging])
    _check_size(name, header, heads[imaging], len(frames) * len(slices))

    joins = calibration & np.isin(frame, frames) & np.isin(idx["slice"], slices)
    index = np.flatnonzero(imaging | joins)
    lines = np.zeros(len(index), LINE)
    lines["index"], heads, idx, alone = index, heads[index], idx[index], joins[index]
    lines["frame"] = np.searchsorted(frames, frame[index])
    lines["slice"] = np.searchsorted(slices, idx["slice"])
    order = slice_order(heads[np.unique(lines["slice"], return_index=True)[1]])
    lines["slice"] = np.argsort(order)[lines["slice"]]
    lines["step_1"] = _steps(name, header.encoded[1], header.limits, idx, "kspace_encode_step_1")
    lines["step_2"] = _steps(name, header.encoded[2], header.limits_2, idx, "kspace_encode_step_2")
    _along_readout(name, header.encoded[0], heads, lines)

    place = np.ravel_multi_index(
        [lines[axis] for axis in ("slice", "frame", "step_1", "step_2")],
        (len(slices), len(frames), *header.encoded[1:]),
    )
    keep = ~alone | ~np.isin(place, place[~alone])
    lines, place = lines[keep], place[keep]
    _check_averages(name, place, idx[keep])
    _, which, averages = np.unique(place, return_inverse=True, return_counts=True)
    lines["weight"] = 1 / averages[which]
    for alternates, step in zip(header.alternating, ("step_1", "step_2"), strict=True):
        lines["weight"][alternates & (lines[step] % 2 == 1)] *= -1
    return lines


def _check_averages(name: str, place: NDArray[np.int64], idx: Records) -> None:
    """Refuse lines in one place of k-space that are no averages."""
    _, once = np.unique(place * 2**16 + idx["average"], return_index=True)
    if len(once) < len(idx):
        again = idx[np.delete(np.arange(len(idx)), once)[0]]
        counters = ("kspace_encode_step_1", "kspace_encode_step_2", "slice", "average", *FRAME)
        raise BadInput(
            f"{name}: several acquisitions have one place in k-space and one average "
            f"({', '.join(f'{counter} {again[counter]}' for counter in counters)}); leave all but "
            "one out, or number them as averages"
        )


def _check_size(name: str, header: Header, heads: Records, volumes: int) -> None:
    """Refuse a matrix that could not have been sampled, before memory is taken for it."""
    samples = int((heads["number_of_samples"].astype(np.int64)).sum())
    if volumes * math.prod(header.encoded) > _SPARSEST * samples:
        raise BadInput(
            f"{name}: the header's encoded matrix is {' × '.join(map(str, header.encoded))}, but "
            f"{len(heads)} lines of {volumes} such volumes were acquired; the header is wrong"
        )


def _steps(
    name: str, size: int, limits: tuple[int, int] | None, idx: Records, counter: str
) -> NDArray[np.int64]:
    """Places along a phase encoding: the line at the centre goes to ⌊N/2⌋."""
    centre = limits[1] if limits and limits[1] > 0 else size // 2
    steps: NDArray[np.int64] = idx[counter].astype(np.int64) + (size // 2 - centre)
    if size == 1 and np.ptp(steps) == 0:  # one partition, wherever it was
        steps[:] = 0
    outside = (steps < 0) | (steps >= size)
    if outside.any():
        raise BadInput(
            f"{name}: {counter} {idx[counter][outside][0]} lies outside the encoded matrix, which "
            f"has {size} lines with line {centre} at its centre; the header is wrong"
        )
    return steps


def _along_readout(name: str, size: int, heads: Records, lines: Records) -> None:
    """Fill in which samples are kept, and where they go."""
    samples = heads["number_of_samples"].astype(np.int64)
    lines["first"] = heads["discard_pre"]
    lines["last"] = samples - heads["discard_post"]
    lines["reversed"] = flagged(heads, REVERSED)
    stated = heads["center_sample"].astype(np.int64)
    echo = np.where((samples == size) | (stated == 0), samples // 2, stated)
    back = lines["reversed"]
    echo = np.where(back & (2 * echo != samples), samples - 1 - echo, echo)
    lines["start"] = size // 2 - echo + np.where(back, samples - lines["last"], lines["first"])
    lines["stop"] = lines["start"] + lines["last"] - lines["first"]
    wrong = (lines["start"] >= lines["stop"]) | (lines["start"] < 0) | (lines["stop"] > size)
    if wrong.any():
        head = heads[wrong][0]
        raise BadInput(
            f"{name}: a line of {head['number_of_samples']} samples (center_sample "
            f"{head['center_sample']}, discard_pre {head['discard_pre']}, discard_post "
            f"{head['discard_post']}) does not fit the encoded matrix, {size} samples along the "
            "readout; the header is wrong"
        )
