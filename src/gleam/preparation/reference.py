"""Whether a reference scan shows the coils, the field of view and the place of another scan."""

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.scan import Scan
from gleam.preparation.grid import Grid, whole_along

_TOLERANCE = 0.01  # of the field of view; sensitivities are smooth


def matched(scan: Scan, grid: Grid, reference: Scan) -> Grid:
    """The grid on which the reference has the scan's field of view.

    The spacing of k-space, and with it that of a calibration region, is the inverse of the field
    of view: where they agree, a region of one is as good as one of the other. A readout that was
    oversampled by another factor is cropped to the same field of view.

    Raises:
        BadInput: it has other coils or slices, another field of view, or lies elsewhere.
    """

    def demand(holds: bool, what: str) -> None:
        if not holds:
            raise BadInput(f"{reference.name}: is no reference for {scan.name}: {what}")

    coils, its_coils = scan.kspace.shape[1], reference.kspace.shape[1]
    demand(its_coils == coils, f"it has {its_coils} coils, the scan {coils}")
    slices, its_slices = scan.kspace.shape[0], reference.kspace.shape[0]
    demand(
        len(reference.space) == len(scan.space) and its_slices == slices,
        f"it has {its_slices} slices in {len(reference.space)}D, the scan {slices} in "
        f"{len(scan.space)}D",
    )
    there, view = Grid(None, reference.space), _field_of_view(scan, grid)
    if grid.decoded is not None and whole_along(reference, grid.decoded):
        voxel = reference.voxel[: len(view)][grid.decoded]
        size = min(max(1, round(view[grid.decoded] / voxel)), reference.space[grid.decoded])
        there = Grid.decoding(reference, grid.decoded, size)
    its_view = _field_of_view(reference, there)
    demand(
        np.allclose(its_view, view, rtol=_TOLERANCE, atol=0),
        f"its field of view is {_said(its_view)} mm, the scan's {_said(view)} mm",
    )
    off = float(np.linalg.norm(_places(reference, view) - _places(scan, view), axis=1).max())
    demand(off <= _TOLERANCE * float(max(view)), f"it lies elsewhere or is turned, by {off:.0f} mm")
    return there


def _field_of_view(scan: Scan, grid: Grid) -> NDArray[np.float64]:
    """(*space) mm."""
    return np.multiply(grid.space, scan.voxel[: len(grid.space)])


def _places(scan: Scan, view: NDArray[np.float64]) -> NDArray[np.float64]:
    """(point, 3) mm: the centres of the first and last slice, and the edges of the first."""
    middle = [size // 2 for size in reversed(scan.matrix)]
    steps = scan.affine[:3, : len(view)]
    first, last = (
        scan.affine[:3, :3] @ [*middle, index][:3] + scan.affine[:3, 3]
        for index in (0, scan.kspace.shape[0] - 1)
    )
    edges = steps / np.linalg.norm(steps, axis=0) * view[::-1] / 2
    return np.array([first, last, *(first + edge for edge in edges.T)])


def _said(view: NDArray[np.float64]) -> str:
    return " × ".join(f"{size:.4g}" for size in view)
