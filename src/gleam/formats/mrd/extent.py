"""Extent of k-space that was acquired, whatever the header says of it, and its centre.

- A scan of one partition is 2D, or multi-slice 2D, whatever z its encoded matrix has: Pulseq
  sequences on Siemens scanners say 2 for every 2D scan (https://github.com/pulseq/pulseq, issue
  34). The slice is then as thick as the field of view asked for.
- Where nothing says which line is the centre, or one is said that lies beyond those acquired (a
  placeholder, again), it is the middle one, unless the line of most energy is far from it, as it is
  in partial Fourier.
- Where the last lines that the header announces were not acquired, a warning says so: the scan may
  have been stopped. What there is, is used.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gleam.formats.mrd.head import Records
from gleam.formats.mrd.header import Header
from gleam.formats.scan import Array, outwards

Load = Callable[[NDArray[np.intp]], Iterable[Array]]

_NEAR = 24  # a line of most energy is in the middle if it is within one part in so many lines


def as_acquired(header: Header, heads: Records, chosen: NDArray[np.bool_], load: Load) -> Header:
    """The header with the encoding that was acquired, and a centre of both phase encodings.

    Args:
        header: what was said.
        heads: (acquisition,) of dtype `ACQUISITION_HEADER`.
        chosen: (acquisition,) those that make the scan; some do.
        load: the data of some acquisitions, see `gleam.formats.mrd.acquisitions.assemble`.
    """
    first, second = (heads["idx"][chosen][f"kspace_encode_step_{n}"] for n in (1, 2))
    if header.encoded[2] > 1 and np.ptp(second) == 0:
        header = replace(
            header,
            encoded=(*header.encoded[:2], 1),
            encoded_fov=(*header.encoded_fov[:2], header.recon_fov[2]),
            recon=(*header.recon[:2], 1),
        )
    odd = (*_contradictions(header.limits, first, 1), *_contradictions(header.limits_2, second, 2))
    return replace(
        header,
        warnings=(*header.warnings, *odd),
        limits=_limits(header.limits, header.encoded[1], first, heads, chosen, 1, load),
        limits_2=_limits(header.limits_2, header.encoded[2], second, heads, chosen, 2, load),
    )


def _limits(
    stated: tuple[int, int] | None,
    size: int,
    steps: NDArray[np.uint16],
    heads: Records,
    chosen: NDArray[np.bool_],
    axis: int,
    load: Load,
) -> tuple[int, int] | None:
    """Limits of one phase encoding, with the centre of energy where none was said and it fits."""
    first, last = int(steps.min()), int(steps.max())
    known = stated is not None and max(first, 1) <= stated[1] <= last
    if size == 1 or known or first == last or last - first + 1 >= size:
        return stated
    centre = energy_centre(heads, chosen, axis, size // 2, load)
    if not 0 <= first + size // 2 - centre <= last + size // 2 - centre < size:
        return stated
    return (stated[0] if stated else 0, centre)


def _contradictions(
    stated: tuple[int, int] | None, steps: NDArray[np.uint16], axis: int
) -> tuple[str, ...]:
    """A warning where the centre that is said was not reached, or lines are missing at the end."""
    lines = np.unique(steps).astype(np.int64)
    gap = int(np.diff(lines).max(initial=1))  # of which undersampling leaves out as many
    first, last = int(lines[0]), int(lines[-1])
    if stated is None or len(lines) == 1:
        return ()
    if stated[1] > last or 0 < stated[1] < first:
        return (
            f"its header has the centre of phase encoding {axis} at line {stated[1]}, but lines "
            f"{first} to {last} were acquired; the middle is taken, or the line of most energy",
        )
    if stated[0] - last <= gap:
        return ()
    return (
        f"its header announces lines up to {stated[0]} along phase encoding {axis}, but the last "
        f"one acquired is {last}: was it stopped? What is missing counts as never acquired",
    )


def energy_centre(
    heads: Records, chosen: NDArray[np.bool_], axis: int, middle: int, load: Load
) -> int:
    """The step of most energy along a phase encoding, or `middle` where that is near.

    Args:
        heads, chosen, load: as for `as_acquired`; the slice in the middle is read, or if it is
            empty one beside it.
        axis: 1 or 2.
        middle: where the centre would be without partial Fourier.
    """
    slices = heads["idx"]["slice"]
    present = np.unique(slices[chosen])
    for index in outwards(len(present)):
        some = np.flatnonzero(chosen & (slices == present[index]))
        with np.errstate(over="ignore", invalid="ignore"):
            energy = np.array([np.vdot(data, data).real for data in load(some)], np.float64)
        if energy.any():
            break
    steps = heads["idx"][f"kspace_encode_step_{axis}"][some]
    lines, which, count = np.unique(steps, return_inverse=True, return_counts=True)
    energy = np.bincount(which, energy) / count
    if not np.isfinite(energy).all() or not energy.any():
        return middle  # what is wrong with the data is said when they are read
    peak = int(lines[energy.argmax()])
    near = abs(peak - middle) <= max(2, int(np.ptp(lines)) // _NEAR)
    return middle if near else peak
