"""Reconstruct a whole scan with any method, slice by slice, and give it its place in space."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from gleam.arrays import Image, crop
from gleam.data.example import Example, ExampleFile, write
from gleam.data.loader import every_slice
from gleam.errors import BadInput, Unwritable
from gleam.files import in_temporary
from gleam.formats import Volume
from gleam.metrics import magnitude
from gleam.physics.slabs import Measured
from gleam.recipe import MaskRecipe

Method = Callable[[Measured], Image]


@torch.no_grad()
def reconstruct(
    method: Method,
    example: Example,
    mask: MaskRecipe | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] = lambda done: None,
) -> Volume:
    """The image of a scan, in the scan's own intensities, cropped to the matrix asked for.

    A volume whose readout was sampled in full is reconstructed slab by slab. It is read again for
    every iteration of a network, so one that is not on disk yet goes into a temporary file first.

    Args:
        method: from a measurement to an image; a network is one.
        example: a prepared scan, on disk or not.
        mask: undersample a fully sampled scan first; None takes it as it was acquired.
        device: where `method` lives.
        progress: called with the number of slices done.

    Returns:
        (slice, frame, *space) complex64; with two map sets, the root of the sum of squares.

    Raises:
        BadInput: `mask` is given for a scan that is undersampled already.
    """
    header = example.header
    if mask is not None and not example.complete:
        raise BadInput(
            f"{header.name}: was undersampled when it was scanned; reconstruct it without a mask"
        )
    if header.slab_axis is not None and not isinstance(example, ExampleFile):
        with tempfile.TemporaryDirectory() as folder:
            try:
                write(example, Path(folder) / "example.h5")
            except Unwritable as error:
                raise in_temporary(error) from error.__cause__
            stored = ExampleFile(Path(folder) / "example.h5")
            return reconstruct(method, stored, mask, device, progress)
    images = []
    for index, batch in enumerate(every_slice([example], mask)):
        image = method(batch.measurement.to(device)).cpu()
        one = image[:, 0] if example.sets == 1 else magnitude(image).to(image.dtype)
        images.append(crop(one, header.matrix) * header.scale)
        progress(index + 1)
    return Volume(
        torch.cat(images).numpy(),
        header.voxel,
        np.array(header.affine),
        header.contrast,
        header.name,
        thickness=header.thickness,
    )
