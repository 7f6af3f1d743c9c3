"""Reconstruct a whole scan with any method, slice by slice, and give it its place in space."""

from collections.abc import Callable

import numpy as np
import torch

from gleam.arrays import Image, crop
from gleam.data.batch import Item, collate, mask_seed
from gleam.data.example import Example
from gleam.errors import BadInput
from gleam.formats import Volume
from gleam.metrics import magnitude
from gleam.physics.measurement import Measurement
from gleam.recipe import MaskRecipe

Method = Callable[[Measurement], Image]


@torch.no_grad()
def reconstruct(
    method: Method,
    example: Example,
    mask: MaskRecipe | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] = lambda done: None,
) -> Volume:
    """The image of a scan, in the scan's own intensities, cropped to the matrix asked for.

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
    images = []
    for index in range(example.shape[0]):
        batch = collate([Item(example, index, mask_seed(header.name))], mask)
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
    )
