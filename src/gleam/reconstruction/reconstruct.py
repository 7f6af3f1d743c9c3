"""Reconstruct a whole scan with any method, slice by slice, and give it its place in space."""

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gleam.arrays import Image, crop
from gleam.data.batch import Batch
from gleam.data.example import Example, ExampleFile, write
from gleam.data.loader import every_slice
from gleam.errors import BadInput, Unwritable
from gleam.files import in_temporary
from gleam.formats import Volume
from gleam.metrics import magnitude
from gleam.physics.slabs import Measured
from gleam.recipe import MaskRecipe

Method = Callable[[Measured], Image]


def reconstruct(
    method: Method,
    example: Example,
    mask: MaskRecipe | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] = lambda done: None,
    at_once: int = 1,
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
        at_once: slices that are reconstructed at the same time, on one thread each, instead of one
            after the other on all threads: faster on a CPU (`python -m benchmarks.threads`), where
            there is the memory. The method must not mind; volumes come one at a time.

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
            return reconstruct(method, stored, mask, device, progress, at_once)

    @torch.no_grad()  # each thread has a mode of its own
    def one(batch: Batch) -> Tensor:
        image = method(batch.measurement.to(device)).cpu()
        image = image[:, 0] if example.sets == 1 else magnitude(image).to(image.dtype)
        return crop(image, header.matrix) * header.scale

    images = []
    for image in _in_order(one, every_slice([example], mask), at_once):
        images.append(image)
        progress(len(images))
    return Volume(
        torch.cat(images).numpy(),
        header.voxel,
        np.array(header.affine),
        header.contrast,
        header.name,
        thickness=header.thickness,
    )


def _in_order(
    work: Callable[[Batch], Tensor], batches: Iterable[Batch], at_once: int
) -> Iterator[Tensor]:
    """The results; so many batches are worked on, and in memory, at the same time."""
    if at_once == 1:
        yield from map(work, batches)
        return
    with ThreadPoolExecutor(at_once, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        coming: deque[Future[Tensor]] = deque()
        for batch in batches:
            coming.append(pool.submit(work, batch))
            if len(coming) == at_once:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
