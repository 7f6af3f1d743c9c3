"""Place of an ISMRMRD acquisition in the patient, from the heads of its lines.

Every line says where the centre of its slice or slab is (`position`) and which way its axes point
(`read_dir`, `phase_dir`, `slice_dir`), in mm and LPS. The centre is that of voxel ⌊N/2⌋, where the
Fourier transform has its origin. Source: the MRD specification, `mrd_raw_data.md`.
"""

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.mrd.head import Records
from gleam.formats.scan import centred_affine

DIRECTIONS = ("read_dir", "phase_dir", "slice_dir")
PARALLEL = 0.02  # of unit vectors
ONE_PLACE = 0.02  # mm


def slice_order(firsts: Records) -> NDArray[np.intp]:
    """The order of the slices in space.

    That of their index, unless positions along the normal then go to and fro, as they do where
    the index counts the excitations of an interleaved scan.

    Args:
        firsts: the head of one line of each slice, by index.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # refused later
        along = firsts["position"].astype(np.float64) @ normal_of(firsts[0])
        steps = np.diff(along)
    if (steps >= 0).all() or (steps <= 0).all():
        return np.arange(len(firsts))
    return np.argsort(along, kind="stable")


def normal_of(head: np.void) -> NDArray[np.float64]:
    """(3,) of a line's slice; zeros where it does not say."""
    normal: NDArray[np.float64] = head["slice_dir"].astype(np.float64)
    if not normal.any():
        normal = np.cross(head["read_dir"].astype(np.float64), head["phase_dir"])
    return normal


def placed(
    name: str, firsts: Records, matrix: tuple[int, ...], voxel: tuple[float, ...]
) -> tuple[tuple[float, ...], NDArray[np.float64]]:
    """The voxel, with the slice distance that was scanned, and the affine, both as in `Scan`.

    Where the lines say no directions, the affine is centred. Slices that are all in one place are
    stacked there, as far apart as `voxel` says.

    Args:
        name: of the scan, for messages.
        firsts: the head of one line of each slice, in the order of the slices: an even stack.
        matrix: size of the image, (readout, phase) or (readout, phase 1, phase 2).
        voxel: its size in mm along the same axes, then the slice thickness for 2D scans.

    Raises:
        BadInput: directions that are not at right angles.
    """
    directions = np.stack([firsts[axis].astype(np.float64) for axis in DIRECTIONS], axis=1)
    centres = firsts["position"].astype(np.float64)
    if not directions.any():
        return voxel, centred_affine(matrix, voxel, len(firsts))
    axes = directions[0]
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
        axes[2] = normal_of(firsts[0])
        skew = np.abs(axes @ axes.T - np.eye(3)).max()
    if not skew < PARALLEL or not np.isfinite(centres).all():
        raise BadInput(
            f"{name}: its lines have no sound place in space ({', '.join(DIRECTIONS)} are not "
            "at right angles, or a position is not finite); set them to 0 where unknown"
        )

    steps = axes * np.array(voxel)[:, None]  # from voxel to voxel
    if np.ptp(centres, axis=0).max() > ONE_PLACE:
        steps[2] = (centres[-1] - centres[0]) / (len(centres) - 1)
        voxel = (*voxel[:2], float(np.linalg.norm(steps[2])))
    elif len(matrix) == 2:
        centres = centres - len(centres) // 2 * steps[2]

    # The affine's x is the image's last axis, and so on; the slices of 2D scans stay last.
    space = len(matrix)
    affine = np.eye(4)
    affine[:3, :3] = steps[[*range(space - 1, -1, -1), *range(space, 3)]].T
    affine[:3, 3] = centres[0] - np.array([n // 2 for n in matrix]) @ steps[:space]
    return voxel, affine
