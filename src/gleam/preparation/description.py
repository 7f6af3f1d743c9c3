"""Plain facts about a scan, and about what became of it in preparation: `gleam inspect --json`.

Space axes are in the order of `space`, `y x` or `z y x`. No patient field is among them.
"""

import math
from typing import Any

import numpy as np

from gleam.data.example import Example
from gleam.formats.region import acceleration, bounding_box
from gleam.formats.scan import Scan, is_placed
from gleam.physics.partial_fourier import short_sides

Facts = dict[str, Any]

_PLANES = ("sagittal", "coronal", "transverse")  # their normals are the axes of LPS


def scan_facts(scan: Scan) -> Facts:
    """Facts about a scan, as it was read."""
    slices, coils, frames, *space = scan.kspace.shape
    axes = axis_names(len(space))
    readout = scan.readout
    return {
        "format": scan.format,
        "axes": list(axes),
        "matrix": list(scan.matrix),
        "kspace": space,
        "slices": slices,
        "frames": frames,
        "coils": coils,
        "readout": None if readout is None else axes[readout],
        "oversampling": None if readout is None else space[readout] / scan.matrix[readout],
        "acquired": _acquired(scan),
        "acceleration": acceleration(scan.sampled),
        "calibration": _box_of(scan),
        "reference": None if scan.reference is None else _box_of(scan.reference),
        "noise_samples": 0 if scan.noise is None else scan.noise.shape[1],
        "voxel_mm": list(scan.voxel),
        "thickness_mm": scan.thickness,
        "orientation": _orientation(scan),
        "contrast": dict(scan.contrast),
        "warnings": list(scan.warnings),
    }


def example_facts(example: Example) -> Facts:
    """Facts about an example, be it on disk or only prepared."""
    header, dims = example.header, len(example.shape) - 3
    names = axis_names(dims)
    return {
        "shape": list(example.shape),
        "axes": list(names),
        "fourier_axes": [names[axis] for axis in header.axes],
        "calibration": list(header.calibration),
        "sets": example.sets,
        "target": example.complete,
        "noise": header.noise,
        "partial_fourier": [
            names[axis] for axis in short_sides(example.sampled[None], header.axes)
        ],
        "matrix": list(header.matrix),
        "warnings": list(header.warnings),
    }


def axis_names(dims: int) -> tuple[str, ...]:
    """`y x`, or `z y x`."""
    return ("z", "y", "x")[-dims:]


def _box_of(scan: Scan) -> list[list[int]] | None:
    return None if scan.calibration is None else [list(edges) for edges in scan.calibration]


def _acquired(scan: Scan) -> list[list[int]]:
    """(start, stop) along each space axis of what was acquired, padding and edges left out."""
    return [
        [0, n] if whole == 1 else [part.start, part.stop]
        for n, whole, part in zip(
            scan.space, scan.sampled.shape[1:], bounding_box(scan.sampled), strict=True
        )
    ]


def _orientation(scan: Scan) -> Facts | None:
    """The plane nearest to the slices, how far they are tilted from it, and the image's centre.

    None where the affine is the one of files that do not say.
    """
    slices = scan.kspace.shape[0]
    if not is_placed(scan.affine, scan.matrix, scan.voxel, slices):
        return None
    normal = scan.affine[:3, 2]
    tilt = np.abs(normal) / (np.linalg.norm(normal) or 1.0)
    nearest = int(tilt.argmax())
    size = (*scan.matrix[::-1], slices)[:3]
    centre = scan.affine @ [*((n - 1) / 2 for n in size), 1]
    return {
        "plane": _PLANES[nearest],
        "tilt_degrees": math.degrees(math.acos(min(1.0, tilt[nearest]))),
        "centre_mm": centre[:3].tolist(),
    }
