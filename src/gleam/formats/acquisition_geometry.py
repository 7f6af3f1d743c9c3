"""Where an ISMRMRD acquisition lies in the patient, from the heads of its lines.

Every line says where the centre of its slice or slab is (`position`) and which way its axes point
(`read_dir`, `phase_dir`, `slice_dir`), in mm and LPS. The centre is that of voxel ⌊N/2⌋, where the
Fourier transform has its origin. Source: the MRD specification, `mrd_raw_data.md`.
"""

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.acquisition_head import Records
from gleam.formats.scan import centred_affine

_DIRECTIONS = ("read_dir", "phase_dir", "slice_dir")
_TOLERANCE = 0.02  # of unit vectors, of the slice distance, and of what is one place, in mm


def slice_order(firsts: Records) -> NDArray[np.intp]:
    """The order of the slices in space.

    That of their index, unless positions along `slice_dir` then go to and fro, as they do where
    the index counts the excitations of an interleaved scan.

    Args:
        firsts: the head of one line of each slice, by index.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # refused later
        along = (firsts["position"] * firsts["slice_dir"][0]).sum(axis=1)
        steps = np.diff(along)
    if (steps >= 0).all() or (steps <= 0).all():
        return np.arange(len(firsts))
    return np.argsort(along, kind="stable")


def placed(
    name: str, firsts: Records, matrix: tuple[int, ...], voxel: tuple[float, ...]
) -> tuple[tuple[float, ...], NDArray[np.float64]]:
    """The voxel, with the slice distance that was scanned, and the affine, both as in `Scan`.

    Where the lines say no directions, the affine is centred. Slices that are all in one place are
    stacked there, as far apart as `voxel` says.

    Args:
        name: of the scan, for messages.
        firsts: the head of one line of each slice, in the order of the slices.
        matrix: size of the image, (readout, phase) or (readout, phase 1, phase 2).
        voxel: its size in mm along the same axes, then the slice thickness for 2D scans.

    Raises:
        BadInput: directions that are not at right angles, or slices that are no even stack.
    """
    directions = np.stack([firsts[axis].astype(np.float64) for axis in _DIRECTIONS], axis=1)
    centres = firsts["position"].astype(np.float64)
    if not directions.any():
        return voxel, centred_affine(matrix, voxel, len(firsts))
    read, phase, normal = axes = directions[0]
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
        if not normal.any():
            directions[:, 2] = normal = axes[2] = np.cross(read, phase)
        skew = np.abs(axes @ axes.T - np.eye(3)).max()
    if not skew < _TOLERANCE or not np.isfinite(centres).all():
        raise BadInput(
            f"{name}: its lines have no sound place in space ({', '.join(_DIRECTIONS)} are not "
            "at right angles, or a position is not finite); set them to 0 where unknown"
        )
    if not np.abs(directions - axes).max() < _TOLERANCE:
        raise BadInput(f"{name}: its slices are not parallel; give each orientation a file")

    steps = axes * np.array(voxel)[:, None]  # from voxel to voxel
    slices = np.arange(len(centres))[:, None]
    if np.ptp(centres, axis=0).max() > _TOLERANCE:
        steps[2] = (centres[-1] - centres[0]) / (len(centres) - 1)
        distance = float(np.linalg.norm(steps[2]))
        uneven = np.abs(centres - centres[0] - slices * steps[2]).max()
        if max(uneven, distance - abs(steps[2] @ normal)) > _TOLERANCE * distance:
            raise BadInput(f"{name}: its slices are no even stack; give each stack a file")
        voxel = (*voxel[:2], distance)
    elif len(matrix) == 2:
        centres = centres - len(centres) // 2 * steps[2]

    # The affine's x is the image's last axis, and so on; the slices of 2D scans stay last.
    space = len(matrix)
    affine = np.eye(4)
    affine[:3, :3] = steps[[*range(space - 1, -1, -1), *range(space, 3)]].T
    affine[:3, 3] = centres[0] - np.array([n // 2 for n in matrix]) @ steps[:space]
    return voxel, affine
