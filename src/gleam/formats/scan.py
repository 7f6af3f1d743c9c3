"""`Scan`: one acquisition as it came from a file, whatever the format.

K-space is centred: along every space axis with N samples the zero frequency is at ⌊N/2⌋, and the
image that belongs to it is centred the same way. Readers bring their file to this convention;
nobody downstream knows where a scan came from.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput

Array = NDArray[np.complex64]


class Slices(Protocol):
    """K-space (slice, coil, frame, *space), read one slice at a time: a numpy array is one.

    `space` is `y x`, or `z y x` for a 3D acquisition, whose slice axis has length 1.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(slice, coil, frame, *space)."""

    def __getitem__(self, index: int, /) -> Array:
        """(coil, frame, *space) complex64 of one slice."""


@dataclass(frozen=True)
class Scan:
    """One acquisition: k-space, sampling, geometry.

    Attributes:
        name: the file's name without suffix; goes into output names, never a patient's.
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
        contrast: what is known of the contrast ("acquisition", "TR", "TE", …), no patient fields.
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

    def __post_init__(self) -> None:
        slices, coils, _, *space = self.kspace.shape
        if len(space) not in (2, 3) or min(self.kspace.shape) < 1:
            raise BadInput(
                f"{self.name}: k-space has shape {self.kspace.shape}; expected (slice, coil, "
                "frame, y, x) or (1, coil, frame, z, y, x)"
            )
        if any(s not in (1, n) for s, n in zip(self.sampled.shape, self.kspace.shape[2:], strict=True)):
            raise BadInput(
                f"{self.name}: the sampling pattern has shape {self.sampled.shape}, which does "
                f"not fit k-space of shape {self.kspace.shape}"
            )

    @property
    def space(self) -> tuple[int, ...]:
        """Size of k-space along each space axis."""
        return tuple(self.kspace.shape[3:])
