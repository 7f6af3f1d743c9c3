"""`Volume`: a reconstructed image with its geometry, ready for any image format."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gleam.formats.scan import Array
from gleam.formats.upright import Upright, upright


@dataclass(frozen=True)
class Volume:
    """A reconstructed image.

    Attributes:
        image: (slice, frame, *space) complex64; `space` is `y x`, or `z y x` with one slice.
        voxel: (*space) voxel size in mm, then the slice distance in mm for 2D scans.
        affine: (4, 4) float64; takes the voxel index (x, y, z, 1), z being the slice for 2D
            scans, to patient coordinates in mm, LPS (as DICOM).
        contrast: what is known of it; see `Scan`.
        name: the scan's; for messages and names of files, as it may be a person's.
        method: how it was reconstructed, in words.
        thickness: of 2D slices in mm; see `Scan`.
        verdict: of a check without the truth, in words; empty where there was none.
    """

    image: Array
    voxel: tuple[float, ...]
    affine: NDArray[np.float64]
    contrast: dict[str, str | float] = field(default_factory=dict)
    name: str = ""
    method: str = ""
    thickness: float | None = None
    verdict: str = ""

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """`image`, for NumPy and all that takes its arrays."""
        return np.asarray(self.image, dtype=dtype, copy=copy)

    @property
    def upright(self) -> Upright | None:
        """The orientation in which its planes are shown; None where its place is not known."""
        slices, _, *space = self.image.shape
        return upright(self.affine, tuple(space), self.voxel, slices)

    @property
    def magnitude(self) -> NDArray[np.float32]:
        """(frame, z, y, x) float32, z being the slice for 2D scans."""
        three_d = self.image.ndim == 5
        return np.abs(self.image[0] if three_d else self.image.swapaxes(0, 1))
