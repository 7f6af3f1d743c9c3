"""ISMRMRD images out: magnitude float32, one image for each slice and frame, or frame in 3D.

Source: the MRD specification, https://ismrmrd.readthedocs.io, `mrd_image_data.md`.

- The first axis of `space`, the readout of most scans, is the image's x; then come y and z.
- `field_of_view` of a 2D slice is its thickness along z, or the slices' distance if unknown.
- `position` is that of voxel ⌊N/2⌋, as it is for raw data; `slice` and `phase` count slices and
  frames from 0.
- The attributes say the method, that the image is not for diagnosis, and what a check of it found;
  and the directions, which FIRE takes from there.
- Needs ismrmrd (the extra `mrd`), which raw data do not.
- In a file they are in the group `dataset/image`, as the ISMRMRD libraries read it.
"""

import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from gleam.errors import BadInput
from gleam.formats.hdf5.writer import creating
from gleam.formats.volume import Volume
from gleam.words import not_installed


def images(volume: Volume) -> Iterator[Any]:
    """Each `ismrmrd.Image` of a volume, all slices of a frame and then the next."""
    ismrmrd = library()
    comments = "; ".join(filter(None, [volume.method, "not for diagnosis", volume.verdict]))
    _, frames, *space = volume.image.shape
    three_d = len(space) == 3
    order = [2, 1, 0] if three_d else [1, 0, 2]  # columns of the affine, as x, y, z of the image
    steps = volume.affine[:3, :3].T[order]
    size = (*space, 1)[:3]
    centre = np.array([n // 2 for n in size])
    step_lengths = np.linalg.norm(steps, axis=1)
    field_of_view = step_lengths * size
    if not three_d and volume.thickness is not None:
        field_of_view[2] = volume.thickness
    for frame in range(frames):
        for index, one in enumerate(volume.image[:, frame]):
            position = volume.affine[:3, 3] + centre @ steps + index * steps[2]
            image = ismrmrd.Image.from_array(
                np.ascontiguousarray(np.abs(one).T),
                image_type=ismrmrd.IMTYPE_MAGNITUDE,
                image_index=frame * len(volume.image) + index + 1,
                field_of_view=tuple(field_of_view),
                position=tuple(position),
                read_dir=tuple(steps[0] / step_lengths[0]),
                phase_dir=tuple(steps[1] / step_lengths[1]),
                slice_dir=tuple(steps[2] / step_lengths[2]),
                slice=index,
                phase=frame,
            )
            image.meta = {
                "DataRole": "Image",
                "ImageProcessingHistory": "GLEAM",
                "ImageComments": comments,
                "ImageRowDir": [str(number) for number in image.read_dir],
                "ImageColumnDir": [str(number) for number in image.phase_dir],
            }
            yield image


def write_image(volume: Volume, path: Path) -> None:
    """Write the images to `path` (.mrd).

    Raises:
        BadInput: ismrmrd is not installed, or the folder cannot be written to.
    """
    ismrmrd = library()
    with creating(path, ismrmrd.Dataset) as (file, _):
        for image in images(volume):
            file.append_image("image", image)


def library() -> Any:
    """The package ismrmrd.

    Raises:
        BadInput: it is not installed.
    """
    try:
        with warnings.catch_warnings():  # it changes the filters of whoever imports it
            return import_module("ismrmrd")
    except ImportError as error:
        raise BadInput(f"an MRD image {not_installed('ismrmrd', 'mrd')}") from error
