"""Reconstruct a whole scan with any method, slice by slice, and give it its place in space."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Complex
from torch import Tensor

from gleam.arrays import crop
from gleam.data.batch import Batch
from gleam.data.example import Example, on_disk
from gleam.data.loader import SLAB, every_slice
from gleam.formats import Volume
from gleam.metrics import magnitude
from gleam.recipe import MaskRecipe
from gleam.reconstruction.checked import Check
from gleam.reconstruction.reconstructor import Reconstructor

T = TypeVar("T")


@dataclass(frozen=True)
class Reconstruction(Volume):
    """The image of a scan, and what is known of how it came about.

    Attributes:
        iterations: made for each slice, or for the volume.
        doubts: what may have made it worse, sentences that go on from the method's name.
        check: of the method on this scan, where one was made.
    """

    iterations: Sequence[int] = ()
    doubts: Sequence[str] = ()
    check: Check | None = None


def reconstruct(
    method: Reconstructor,
    example: Example,
    mask: MaskRecipe | None = None,
    progress: Callable[[int], None] = lambda done: None,
    at_once: int = 1,
    slab: int = SLAB,
) -> Reconstruction:
    """The image of a scan, in the scan's own intensities, cropped to the matrix asked for.

    A volume whose readout was sampled in full is reconstructed slab by slab. It is read again for
    every iteration of a network, so one that is not on disk yet goes into a temporary file first.

    Args:
        method: how.
        example: a prepared scan, on disk or not.
        mask: undersample a fully sampled scan first; None takes it as it was acquired.
        progress: called with the number of slices done.
        at_once: slices that are reconstructed at the same time, on one thread each, instead of one
            after the other on all threads: faster on a CPU (`python -m benchmarks.threads`), where
            there is the memory; volumes come one at a time.
        slab: positions of a volume that are reconstructed together; the image is the same.

    Returns:
        (slice, frame, *space) complex64; with two map sets, the root of the sum of squares.

    Raises:
        BadInput: see `Reconstructor.check`.
    """
    header, doubts = example.header, method.check(example, mask)
    images, used = list[Tensor](), list[int]()
    with on_disk(example) as stored:
        batches = every_slice([stored], mask, slab=slab)
        make = partial(one_image, method, stored)
        with closing(_in_order(make, batches, at_once)) as made:
            for image, iterations in made:
                images.append(image)
                used.append(iterations)
                progress(len(images))
    stopped = f", stopped after {min(used)}" + (f" to {max(used)}" if len({*used}) > 1 else "")
    return Reconstruction(
        torch.cat(images).numpy(),
        header.voxel,
        np.array(header.affine),
        header.contrast,
        header.name,
        method=method.words + (stopped if method.stops else ""),
        thickness=header.thickness,
        iterations=used,
        doubts=doubts,
    )


def one_image(
    method: Reconstructor,
    example: Example,
    batch: Batch,
    given_up: Callable[[], bool] = lambda: False,
) -> tuple[Complex[Tensor, "1 frame *matrix"], int]:
    """The image of a slice or a volume, (1, frame, *matrix), and the iterations it took.

    Once it is given up, nobody waits for the others.
    """
    header = example.header
    for made, one in enumerate(method.iterates(batch.measurement), 1):
        iterations, image = made, one
        if given_up():
            break
    image = image.cpu()
    image = image[:, 0] if example.sets == 1 else magnitude(image).to(image.dtype)
    return crop(image, header.matrix) * header.scale, iterations


def _in_order(
    work: Callable[..., T], batches: Iterable[Batch], at_once: int
) -> Generator[T, None, None]:
    """The results; so many batches are worked on, and in memory, at the same time.

    Args:
        work: on a batch, and on whether nobody wants its result any more.
        batches, at_once: see above.
    """
    if at_once == 1:
        yield from map(work, batches)
        return
    left, coming = Event(), deque[Future[T]]()
    with ThreadPoolExecutor(at_once, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            for batch in batches:
                coming.append(pool.submit(work, batch, left.is_set))
                if len(coming) == at_once:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            left.set()
