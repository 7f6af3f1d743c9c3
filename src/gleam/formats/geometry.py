"""A scan's place in space as one line of JSON, for formats that have no fields for it.

fastMRI's layout and BART's pairs hold neither position nor orientation, and BART's no voxel sizes
either. What this program writes in them carries it beside, where other programs pass over it.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ValidationError

from gleam.errors import BadInput
from gleam.formats.scan import Scan

_FARTHEST = 1e6  # mm; NaN is not within it either


class Geometry(BaseModel):
    """Geometry of a `Scan`, whose words these are."""

    matrix: tuple[int, ...]
    voxel: tuple[float, ...]
    affine: tuple[tuple[float, ...], ...]
    thickness: float | None = None

    @classmethod
    def of(cls, scan: Scan, order: Sequence[int] | None = None) -> "Geometry":
        """The geometry of a scan, with its space axes in another order if one is given."""
        dims = len(scan.matrix)
        order = range(dims) if order is None else order
        columns = [*(dims - 1 - axis for axis in reversed(order)), *range(dims, 4)]
        return cls(
            matrix=tuple(min(scan.matrix[axis], scan.space[axis]) for axis in order),
            voxel=(*(scan.voxel[axis] for axis in order), *scan.voxel[dims:]),
            affine=tuple(map(tuple, scan.affine[:, columns].tolist())),
            thickness=scan.thickness,
        )

    @classmethod
    def parse(cls, path: Path, text: str) -> "Geometry":
        """Read a geometry from its line.

        Raises:
            BadInput: it is none, or its numbers are no lengths in a scanner; says `path`.
        """
        try:
            found = cls.model_validate_json(text)
        except ValidationError as error:
            raise BadInput(f"{path}: its geometry is damaged; get the file anew") from error
        lengths = [*found.voxel, *([] if found.thickness is None else [found.thickness])]
        numbers = [*lengths, *(number for row in found.affine for number in row)]
        if (
            len(found.voxel) != 3
            or [len(row) for row in found.affine] != [4] * 4
            or found.affine[3] != (0, 0, 0, 1)
            or not all(abs(number) <= _FARTHEST for number in numbers)
            or min(*lengths, *found.matrix, 1) <= 0
        ):
            raise BadInput(f"{path}: its geometry is damaged; get the file anew")
        return found

    def given_to(self, scan: Scan) -> Scan:
        """The scan with this place.

        Raises:
            BadInput: its k-space has other axes, or is smaller than the image.
        """
        fits = len(self.matrix) == len(scan.space)
        if not fits or any(m > n for m, n in zip(self.matrix, scan.space, strict=True)):
            raise BadInput(f"{scan.name}: its geometry does not fit its k-space; get the file anew")
        return replace(
            scan,
            matrix=self.matrix,
            voxel=self.voxel,
            affine=np.array(self.affine),
            thickness=self.thickness,
        )
