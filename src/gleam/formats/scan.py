"""`Scan`: one acquisition as it came from a file, whatever the format.

K-space is centred: along every space axis with N samples the zero frequency is at ⌊N/2⌋, and the
image that belongs to it is centred the same way. Readers bring their file to this convention;
nobody downstream knows where a scan came from.
"""

import reprlib
from dataclasses import dataclass, field
from functools import reduce
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gleam.amounts import rounded
from gleam.errors import BadInput
from gleam.formats.region import acceleration, is_complete
from gleam.words import counted, sized

Array = NDArray[np.complex64]

LARGEST = 1e15  # of a k-space value: squares can still be summed over a scan in single precision

NOT_WHITENED = "it was left out, and coils are not whitened"  # ends warnings of a noise scan


Place = int | tuple[int, slice]  # a slice, or some of its coils


@runtime_checkable  # the tests check types at run time
class Slices(Protocol):
    """K-space (slice, coil, frame, *space) that is read when it is asked for.

    A numpy array is one: `kspace[i]` is a slice, `kspace[i, j:k]` some of its coils. `space` is
    `y x`, or `z y x` for a 3D acquisition, whose slice axis has length 1.

    What is not asked for takes no memory, however long it is gone through, so that a volume's coils
    can be read one after the other; positions that were not sampled hold zero; values are finite.
    `check_kspace` of tests/formats/test_lazy_kspace.py holds every reader to this.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(slice, coil, frame, *space)."""

    def __getitem__(self, place: Place, /) -> Array:
        """(coil, frame, *space) complex64 of one slice, all its coils or some.

        Raises:
            BadInput: the file cannot be read, or holds values that are not finite or too large.
            IndexError: there is no such slice.
        """


@dataclass(frozen=True, repr=False)
class Scan:
    """One acquisition: k-space, sampling, geometry.

    Attributes:
        name: the file's name without suffix, and which part of it this is, if there are several;
            goes into output names, never a patient's.
        kspace: (slice, coil, frame, *space) complex64, read slice by slice; positions that were
            not sampled hold zero.
        sampled: (frame, *space) bool, any axis may have length 1; what was acquired. Lines a
            vendor filled with zeros are not sampled.
        readout: index into `space` of the frequency-encoding axis; None where the file does not
            say (or the readout was transformed away before the file was written).
        matrix: image size along each space axis that the operator asked for; outputs are cropped
            to it (centred), which removes readout oversampling.
        voxel: (*space) voxel size in mm, then the slice distance in mm for 2D scans.
        affine: (4, 4) float64; takes the voxel index (x, y, z, 1) of the `matrix`-sized output,
            z being the slice for 2D scans, to patient coordinates in mm, LPS (as DICOM).
        calibration: (start, stop) along each space axis of the fully sampled central box in
            k-space; None when there is none.
        noise: (coil, samples) complex64 from a noise scan, for pre-whitening; None when unknown.
        contrast: what is known of the contrast, no patient fields: "acquisition", "TR", "TE" and
            "TI" in ms, "flip_angle" in degrees, "field_strength" in tesla, and "frame_time", from
            one frame to the next, in ms.
        format: of the file, in words; empty for what was never in one.
        reference: what came with it to calibrate its coils from, of another contrast; None where
            nothing did.
        warnings: what was left out of the file or looks odd in it, for whoever uses the scan; each
            one sentence that goes on from "NAME: ", no patient fields.
        thickness: of a 2D scan's slices in mm, which is not their distance; None where unknown.
        part: which of the scans of its file it is; empty where that holds one.
    """

    name: str
    kspace: Slices
    sampled: NDArray[np.bool_]
    readout: int | None
    matrix: tuple[int, ...]
    voxel: tuple[float, ...]
    affine: NDArray[np.float64]
    calibration: tuple[tuple[int, int], ...] | None
    noise: Array | None = None
    contrast: dict[str, str | float] = field(default_factory=dict)
    format: str = ""
    reference: "Scan | None" = None
    warnings: tuple[str, ...] = ()
    thickness: float | None = None
    part: str = ""

    def __post_init__(self) -> None:
        shape, pattern = self.kspace.shape, self.sampled.shape
        if len(shape) not in (5, 6) or min(shape) < 1 or (len(shape) == 6 and shape[0] != 1):
            raise BadInput(
                f"{self.name}: k-space has shape {shape}; expected (slice, coil, frame, y, x) or "
                "(1, coil, frame, z, y, x)"
            )
        if len(pattern) != len(shape) - 2 or any(
            s not in (1, n) for s, n in zip(pattern, shape[2:], strict=True)
        ):
            raise BadInput(
                f"{self.name}: the sampling pattern has shape {pattern}, which does not fit "
                f"k-space of shape {shape}"
            )
        if not self.sampled.any():
            raise BadInput(f"{self.name}: no k-space position was sampled; the scan is empty")

    def __repr__(self) -> str:
        slices, coils, frames = self.kspace.shape[:3]
        known = [self.format.split(",")[0]] if self.format else []
        known += [counted(slices, "slice")] if len(self.matrix) == 2 else []
        known += [counted(coils, "coil"), counted(frames, "frame"), sized(self.matrix)]
        rate = acceleration(self.sampled)
        known.append("fully sampled" if self.complete else f"{rounded(rate, 3)}× accelerated")
        return f"<{type(self).__name__} {reprlib.repr(self.name)}: {', '.join(known)}>"

    @property
    def space(self) -> tuple[int, ...]:
        """Size of k-space along each space axis."""
        return tuple(self.kspace.shape[3:])

    @property
    def complete(self) -> bool:
        """Whether every frame sampled all of the region that the acquisition covers.

        Only then does a fully sampled target exist. What was never acquired (vendor zero padding,
        partial Fourier, corners beyond an ellipse) is allowed; see `gleam.formats.region`.
        """
        return is_complete(self.sampled)


def slice_and_coils(place: Place, slices: int) -> tuple[int, slice]:
    """The slice that is meant, and those of its coils that are.

    Raises:
        IndexError: there is no such slice.
    """
    index, coils = (place, slice(None)) if isinstance(place, int) else place
    if not 0 <= index < slices:
        raise IndexError(f"slice {index} of {slices}")
    return index, coils


def outwards(count: int) -> list[int]:
    """The numbers of so many slices, the middle one first: it shows most of an object."""
    return sorted(range(count), key=lambda index: abs(index - count // 2))


def usable(values: Array) -> bool:
    """Whether all are numbers, and none is beyond `LARGEST`."""
    with np.errstate(invalid="ignore"):  # some NaNs complain when they are compared
        return all(
            part.min(initial=0) >= -LARGEST and part.max(initial=0) <= LARGEST
            for part in (values.real, values.imag)
        )


def calibration_box(sampled: NDArray[np.bool_]) -> tuple[tuple[int, int], ...] | None:
    """The largest centred box of k-space that every frame samples in full.

    Centred means cropped as images are: n of N positions from ⌊N/2⌋ − ⌊n/2⌋ on. An axis that is
    sampled throughout is therefore kept whole.

    Args:
        sampled: (frame, *space) bool, with every space axis at its full length.

    Returns:
        (start, stop) along each space axis; None when no box has at least 4 positions along every
        axis that is that long.
    """
    full: NDArray[np.bool_] = np.logical_and.reduce(sampled)
    # Centred boxes are nested: each position enters at one size. With the positions sorted by that
    # size, a box is a prefix, and running "and"s tell for all boxes at once whether they are full.
    for axis, n in enumerate(full.shape):
        outwards = np.argsort(np.abs(np.arange(n) - n // 2 + 0.25), kind="stable")
        full = np.logical_and.accumulate(full.take(outwards, axis), axis)
    volume = reduce(np.multiply.outer, (np.arange(1, n + 1, dtype=np.int64) for n in full.shape))
    volume *= full
    for axis, n in enumerate(full.shape):
        volume.swapaxes(0, axis)[: min(4, n) - 1] = 0
    if not volume.any():
        return None
    best = np.unravel_index(volume.argmax(), volume.shape)
    sizes = [int(i) + 1 for i in best]
    starts = [n // 2 - size // 2 for size, n in zip(sizes, full.shape, strict=True)]
    return tuple((start, start + size) for start, size in zip(starts, sizes, strict=True))


def centred_affine(
    matrix: tuple[int, ...], voxel: tuple[float, ...], slices: int
) -> NDArray[np.float64]:
    """The affine of a file that says nothing of the patient's position: axis-aligned, centred.

    Args:
        matrix: image size, `y x` or `z y x`.
        voxel: voxel size in mm along the same axes, then the slice distance for 2D scans.
        slices: the number of slices of a 2D scan; 1 for 3D.

    Returns:
        (4, 4) float64 from voxel index (x, y, z, 1) to mm, LPS; the central voxel ⌊N/2⌋ along
        every axis, slices included, is at the origin.
    """
    in_plane = len(matrix)
    size = (*matrix[::-1], slices)[:3]  # as x, y, z
    step = (*voxel[:in_plane][::-1], *voxel[in_plane:])
    affine = np.diag([*step, 1.0])
    affine[:3, 3] = [-d * (n // 2) for d, n in zip(step, size, strict=True)]
    return affine


def is_placed(
    affine: NDArray[np.float64], matrix: tuple[int, ...], voxel: tuple[float, ...], slices: int
) -> bool:
    """Whether an affine is another than that of files that say nothing; see `centred_affine`."""
    return not np.array_equal(affine, centred_affine(matrix, voxel, slices))
