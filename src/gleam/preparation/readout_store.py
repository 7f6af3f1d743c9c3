"""A volume's k-space, transformed along its readout, in a temporary file.

To transform the readout takes all positions of a coil, all that follows takes all coils of a
position. A volume does not fit in memory, so the two orders meet on disk: coils are written one by
one, and slabs along the readout are read. The file lies where the system keeps temporary ones
(`TMPDIR`), has no name, and is gone with this object.
"""

import math
import tempfile
import weakref

import numpy as np
import torch
from jaxtyping import Complex
from torch import Tensor

from gleam.arrays import narrow, slabs
from gleam.files import in_temporary, unwritable
from gleam.formats.lazy import each_coil
from gleam.formats.scan import Array, Scan
from gleam.preparation.grid import Grid

_PARTS = 16  # a coil is transformed in, so that what lies between takes little room


class Decoded:
    """Slabs of k-space as `Grid.decode` makes it, centred; coils as they were scanned.

    Args:
        scan: of one volume.
        grid: what it is prepared on; decodes its readout.

    Raises:
        BadInput: the scan cannot be read.
        Unwritable: there is no room for the temporary file.
    """

    def __init__(self, scan: Scan, grid: Grid) -> None:
        assert grid.decoded is not None
        self._axis = grid.decoded
        _, coils, frames, *_ = scan.kspace.shape
        others = [grid.space[axis] for axis in grid.axes]
        self._shape = (coils, frames, *others)  # of a position
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (closed below)
        weakref.finalize(self, self._file.close)
        for coil, kspace in enumerate(each_coil(scan.kspace, 0)):
            image = np.empty((grid.space[self._axis], frames, *others), np.complex64)
            whole = torch.from_numpy(kspace)
            aim = torch.from_numpy(image).movedim(0, self._axis)
            for part in slabs(grid.space[grid.axes[0]], -(-grid.space[grid.axes[0]] // _PARTS)):
                some = grid.decode(narrow(whole, grid.axes[0], part))
                narrow(aim, grid.axes[0], part).copy_(some)
            self._write(scan, coil, image)

    def __getitem__(self, positions: range) -> Complex[Tensor, "coil frame *space"]:
        """The k-space of some positions along the readout."""
        size = math.prod(self._shape)
        self._file.seek(positions.start * size * 8)
        data = np.fromfile(self._file, np.complex64, len(positions) * size)
        return torch.from_numpy(data.reshape(-1, *self._shape)).movedim(0, self._axis)

    def _write(self, scan: Scan, coil: int, image: Array) -> None:
        """One coil, position after position."""
        coils, *rest = self._shape
        try:
            for position, plane in enumerate(image):
                self._file.seek((position * coils + coil) * math.prod(rest) * 8)
                left = plane.reshape(-1).view(np.uint8).data
                while left:  # a disk that gets full takes a part first
                    left = left[self._file.write(left) :]
        except OSError as error:
            raise in_temporary(unwritable(f"{scan.name}: its k-space", error)) from error
