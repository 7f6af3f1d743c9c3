"""NIfTI images, version 1 both ways and 2 read: axes (x, y, z), then frame if there are several.

Magnitudes are written, as float32; z is the slice of a 2D scan. Read are numbers of any kind: three
axes are a volume; four are a series of 2D slices, as cardiac cine comes; two are one slice.
 NIfTI's world is RAS (x to the right, y to the front), DICOM's and
ours LPS: the first two rows of the affine change sign. Both qform and sform say "scanner". Units
are mm, and seconds where the time between frames is known. The description says the method and
that the image is not for diagnosis. Needs nibabel (the extra `nifti`).

Files are not trusted: a header's sizes are checked against the file's before memory is taken.

Source: https://nifti.nimh.nih.gov/nifti-1 and https://nipy.org/nibabel/coordinate_systems.html.
"""

import math
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from gleam.errors import BadInput
from gleam.files import BEST_COMPRESSION, replacing
from gleam.formats.parts import called
from gleam.formats.scan import usable
from gleam.formats.volume import Volume
from gleam.words import not_installed


def read_image(path: Path) -> Volume:
    """Read `path` (.nii or .nii.gz); scaled by the header's slope and intercept.

    Raises:
        BadInput: nibabel is not installed; the file is damaged, no image of numbers of 2 to 4 axes,
            or holds values that are not finite or too large.
    """
    nibabel = _nibabel(path)
    try:
        second, _ = nibabel.Nifti2Image.path_maybe_image(path)
        kind = nibabel.Nifti2Image if second else nibabel.Nifti1Image
        with nibabel.imageglobals.LoggingOutputSuppressor():
            file = kind.from_filename(path, mmap=False)
        shape, dtype = file.shape, file.get_data_dtype()
        most = path.stat().st_size * (BEST_COMPRESSION if path.suffix.lower() == ".gz" else 1)
        size = math.prod(shape) * dtype.itemsize
        if dtype.kind not in "iufc" or min(shape, default=0) < 1 or size > most:
            raise ValueError
        with np.errstate(all="ignore"):  # what comes of it is seen below
            data = np.asarray(file.dataobj).astype(np.complex64)
            affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ file.affine
        zooms = file.header.get_zooms()
    except Exception as error:  # nibabel trusts files: many kinds may come
        raise BadInput(
            f"{path}: not a NIfTI image of plain numbers (cut off, damaged or another format); "
            "export it again"
        ) from error
    while data.ndim > 2 and data.shape[-1] == 1:
        data = data[..., 0]
    if not 2 <= data.ndim <= 4 or not usable(data):
        raise BadInput(
            f"{path}: holds an image of shape {shape}; expected (x, y), (x, y, z) or "
            "(x, y, slice, frame) of finite numbers"
        )
    if data.ndim == 2:
        data = data[..., None, None]
    # (x, y, slice, frame) → (slice, frame, y, x), or (x, y, z) → (1, 1, z, y, x)
    image = data.transpose(2, 3, 1, 0) if data.ndim == 4 else data.T[None, None]
    x, y, z = (float(size) for size in (*zooms, 1.0, 1.0)[:3])
    if not (np.isfinite(affine).all() and np.isfinite([x, y, z]).all() and min(x, y, z) > 0):
        raise BadInput(f"{path}: its voxel sizes or its affine are not numbers; export it again")
    voxel = (y, x, z) if data.ndim == 4 else (z, y, x)
    return Volume(
        np.ascontiguousarray(image), voxel, affine, name=called(Path(path.name.partition(".")[0]))
    )


def write_image(volume: Volume, path: Path) -> None:
    """Write the magnitude to `path` (.nii or .nii.gz).

    Raises:
        BadInput: nibabel is not installed, or the folder cannot be written to.
    """
    nibabel = _nibabel(path)
    data = volume.magnitude.T
    if data.shape[3] == 1:
        data = data[..., 0]
    image = nibabel.Nifti1Image(data, np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine)
    image.set_qform(image.affine, code="scanner")
    image.set_sform(image.affine, code="scanner")
    frame_time = volume.contrast.get("frame_time")
    if frame_time is None or data.ndim == 3:
        image.header.set_xyzt_units("mm")
    else:
        image.header.set_xyzt_units("mm", "sec")
        image.header.set_zooms((*image.header.get_zooms()[:3], float(frame_time) / 1000))
    image.header["descrip"] = f"not for diagnosis: GLEAM {volume.method}".encode()[:79]
    with replacing(path) as temporary:
        nibabel.save(image, temporary)


def _nibabel(path: Path) -> Any:
    try:
        return import_module("nibabel")
    except ImportError as error:
        raise BadInput(f"{path}: NIfTI {not_installed('nibabel', 'nifti')}") from error
