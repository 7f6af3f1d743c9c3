"""A DICOM series in: magnitude images of one series, a file for each slice and frame.

- A folder of files (not below it), or one .dcm file. Every file is an image of the same series, and
  all are magnitudes, say, by Image Type; enhanced objects, of several frames in a file, are
  refused, and an index (DICOMDIR) is passed over.
- Images are told apart by their position along the slices' normal, then, as frames, by Temporal
  Position Identifier, Trigger Time and Instance Number. Slices are an even stack, each with as many
  frames. A static one whose MR Acquisition Type is 3D is a volume.
- Slice distance is that of the positions, thickness is Slice Thickness. No patient field is kept.

Needs pydicom (the extra `dicom`). Source: the DICOM standard, PS3.3 C.7.6.2 and C.8.3.1.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.parts import called
from gleam.formats.scan import usable
from gleam.formats.volume import Volume
from gleam.words import not_installed

_CONTRAST = {
    "TR": "RepetitionTime",
    "TE": "EchoTime",
    "flip_angle": "FlipAngle",
    "field_strength": "MagneticFieldStrength",
}
_EVEN = 0.02  # of the slice distance; in mm, what is one place


def read_image(path: Path) -> Volume:
    """Read the images of a folder, or of one file, as one.

    Raises:
        BadInput: pydicom is not installed; a file is no DICOM image, is of another series, or has
            several frames; or slices are no even stack.
    """
    try:
        import pydicom
    except ImportError as error:
        raise BadInput(f"{path}: reading DICOM {not_installed('pydicom', 'dicom')}") from error
    files = sorted(f for f in path.iterdir() if f.is_file()) if path.is_dir() else [path]
    files = [f for f in files if not f.name.startswith(".") and f.name.upper() != "DICOMDIR"]
    if not files:
        raise BadInput(f"{path}: holds no DICOM file")
    images, planes = [], []
    for file in files:
        try:
            image = pydicom.dcmread(file)
            directions = np.array(image.ImageOrientationPatient, float).reshape(2, 3)
            spacing = np.array(image.PixelSpacing, float)
            place = np.array(image.ImagePositionPatient, float).reshape(3)
            slope, offset = (
                default if image.get(key) is None else float(image.get(key))
                for key, default in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0))
            )
            pixels = image.pixel_array * slope + offset
        except Exception as error:  # pydicom trusts files: many kinds may come
            raise BadInput(
                f"{file}: not a DICOM image of one slice (damaged, compressed or enhanced); "
                "convert the series to NIfTI"
            ) from error
        images.append(image)
        planes.append((directions, spacing, place, pixels))
    directions, spacing, _, first = planes[0]
    series = str(images[0].get("SeriesInstanceUID", ""))
    for file, image, (other, steps, place, pixels) in zip(files, images, planes, strict=True):
        if (
            str(image.get("SeriesInstanceUID", "")) != series
            or _kind(image) != _kind(images[0])
            or pixels.ndim != 2
            or pixels.shape != first.shape
            or not np.allclose(other, directions, atol=1e-3)
            or not np.allclose(steps, spacing, rtol=1e-3)
            or not np.isfinite(place).all()
            or min(steps) <= 0
        ):
            raise BadInput(
                f"{file}: does not fit {files[0].name}, by its series, kind (magnitude or phase), "
                "size or orientation; give a folder of one series"
            )
    across, down = directions
    normal = np.cross(across, down)
    places = np.array([place for _, _, place, _ in planes])
    depth, frames, order = _order(path, images, places @ normal)
    values = np.stack([planes[i][3] for i in order]).astype(np.complex64)
    if not usable(values):
        raise BadInput(f"{path}: its values are not finite numbers; export it again")
    thickness = float(images[0].get("SliceThickness") or 0) or None
    starts = places[order[::frames]]
    step = normal * (thickness or 1.0)
    if depth > 1:
        step = (starts[-1] - starts[0]) / (depth - 1)
    distance = float(np.linalg.norm(step))
    if np.abs(starts - starts[0] - np.arange(depth)[:, None] * step).max() > _EVEN * distance:
        raise BadInput(f"{path}: its slices are no even stack; give a folder of one stack")
    affine = np.eye(4)
    affine[:3] = np.stack([across * spacing[1], down * spacing[0], step, starts[0]], axis=1)
    stack = values.reshape(depth, frames, *first.shape)
    row, column = float(spacing[0]), float(spacing[1])
    three_d = images[0].get("MRAcquisitionType") == "3D" and frames == 1 and depth > 1
    return Volume(
        stack.swapaxes(0, 1)[None] if three_d else stack,
        (distance, row, column) if three_d else (row, column, distance),
        affine,
        {name: float(images[0].get(key)) for name, key in _CONTRAST.items() if images[0].get(key)},
        name=called(path),
        thickness=None if three_d else thickness,
    )


def _kind(image: Any) -> str:
    """M, P, R or I, as scanners say whether it is a magnitude, a phase or a part of complex
    numbers; "" where none is said."""
    kinds = [str(word)[:1] for word in image.get("ImageType") or []]
    return kinds[2] if len(kinds) > 2 else ""


def _order(
    path: Path, images: list[Any], along: NDArray[np.float64]
) -> tuple[int, int, NDArray[np.intp]]:
    """Numbers of slices and frames, and the images' order slice by slice."""
    ascending = np.argsort(along)
    ranks = np.empty(len(along), np.intp)
    ranks[ascending] = np.cumsum(np.diff(along[ascending], prepend=along.min()) > _EVEN)
    depth = int(ranks.max()) + 1
    counts = np.bincount(ranks)
    if (counts != counts[0]).any():
        raise BadInput(f"{path}: its slices have {counts.min()} to {counts.max()} images each")
    times = [
        [float(image.get(key) or 0) for image in images]
        for key in ("InstanceNumber", "TriggerTime", "TemporalPositionIdentifier")
    ]
    return depth, int(counts[0]), np.lexsort(np.array([*times, ranks]))
