"""`Header`: what is known of an example beside its arrays, and which version made it."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from gleam.errors import BadInput

VERSION = 4  # of preparation: raised when it makes other numbers of the same scan


class Header(BaseModel):
    """Facts about an example beside its arrays.

    Attributes:
        name: the scan's.
        axes: space axes still in k-space (x = −1, y = −2, z = −3).
        readout: the frequency-encoding axis, if known.
        calibration: size of the fully sampled centre along each space axis; masks keep it. 0 along
            axes of which they keep nothing.
        scale: what the scan's intensities were divided by.
        noise: standard deviation of the complex noise in a k-space sample, after that division;
            None where it could not be told from signal.
        matrix: size along each space axis that outputs are cropped to.
        voxel: mm along each space axis, then the slice distance of 2D scans.
        affine: 4 × 4, voxel index (x, y, z, 1) of the output to mm, LPS.
        contrast: no patient fields.
        fingerprint: of the source and the settings; the same means no need to prepare again.
        sha256: of the content of the file it was made from, or of k-space that was in none.
        thickness: of 2D slices in mm; None where unknown.
        warnings: the scan's, see `Scan`, and those of what it was calibrated from.
        version: of the preparation that made it (docs/versions.md); the first did not say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    axes: tuple[int, ...]
    readout: int | None
    calibration: tuple[int, ...]
    scale: float
    noise: float | None
    matrix: tuple[int, ...]
    voxel: tuple[float, ...]
    affine: tuple[tuple[float, ...], ...]
    contrast: dict[str, str | float]
    fingerprint: str = ""
    sha256: str = ""
    thickness: float | None = None
    warnings: tuple[str, ...] = ()
    version: int = 1

    @classmethod
    def parse(cls, text: str, path: Path) -> "Header":
        """Read the header of the file `path`.

        Raises:
            BadInput: it is missing, broken, or of a later version.
        """
        try:
            values = dict(json.loads(text))
            if values.get("version", 1) > VERSION:
                raise BadInput(
                    f"{path}: was made by version {values['version']} of preparation, this program "
                    f"knows {VERSION}; update it, or prepare the scan again"
                )
            return cls.model_validate_json(text)
        except (ValueError, TypeError, RecursionError) as error:
            raise BadInput(
                f"{path}: not an example file of `gleam prepare` (its header is missing or "
                "broken); prepare the scan again"
            ) from error

    @property
    def decoded_axis(self) -> int | None:
        """The axis along which A couples no positions, the readout; None where it is in k-space."""
        left = [axis for axis in range(-len(self.matrix), 0) if axis not in self.axes]
        return left[0] if left else None

    @property
    def slab_axis(self) -> int | None:
        """The axis along which a volume is stored and reconstructed in slabs; see `decoded_axis`.

        2D slices are not taken apart, so they have none.
        """
        return self.decoded_axis if len(self.matrix) == 3 else None

    def fits(self, space: Sequence[int]) -> bool:
        """Whether it can belong to arrays of this size; files are not trusted."""
        all_axes = range(-len(space), 0)
        numbers = [
            self.scale,
            self.noise or 0.0,
            *self.voxel,
            *(v for row in self.affine for v in row),
        ]
        lengths = [] if self.thickness is None else [self.thickness]
        numbers += lengths
        numbers += [value for value in self.contrast.values() if not isinstance(value, str)]
        return (
            len(space) in (2, 3)
            and list(self.axes) == [axis for axis in all_axes if axis in self.axes]
            and self.readout in (None, *all_axes)
            and _within(self.calibration, space, least=0)
            and _within(self.matrix, space)
            and len(self.voxel) == 3
            and [len(row) for row in self.affine] == [4] * 4
            and all(math.isfinite(number) for number in numbers)
            and min(self.scale, *self.voxel, *lengths) > 0
            and (self.noise is None or self.noise >= 0)
        )


def _within(sizes: Sequence[int], space: Sequence[int], least: int = 1) -> bool:
    return len(sizes) == len(space) and all(
        least <= n <= most for n, most in zip(sizes, space, strict=True)
    )
