"""NIfTI-1 images out: magnitude float32 with axes (x, y, z), then frame if there are several.

z is the slice of a 2D scan. NIfTI's world is RAS (x to the right, y to the front), DICOM's and
ours LPS: the first two rows of the affine change sign. Both qform and sform say "scanner". Units
are mm, and seconds where the time between frames is known. The description says the method and
that the image is not for diagnosis. Needs nibabel (the extra `nifti`).

Source: https://nifti.nimh.nih.gov/nifti-1 and https://nipy.org/nibabel/coordinate_systems.html.
"""

from importlib import import_module
from pathlib import Path

import numpy as np

from gleam.errors import BadInput
from gleam.files import replacing
from gleam.formats.volume import Volume


def write_image(volume: Volume, path: Path) -> None:
    """Write the magnitude to `path` (.nii or .nii.gz).

    Raises:
        BadInput: nibabel is not installed, or the folder cannot be written to.
    """
    try:
        nibabel = import_module("nibabel")
    except ImportError as error:
        raise BadInput(
            f"{path}: writing NIfTI needs nibabel; pip install 'gleam-mri[nifti]'"
        ) from error
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
