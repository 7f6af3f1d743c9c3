"""Memory and seconds that a reconstruction takes, before it starts: the very code that makes an
image is traced, without memory (`gleam.planning.hollow`); time is that of a small measurement.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from gleam.amounts import in_bytes, rounded
from gleam.data.example import Example
from gleam.data.loader import every_slice
from gleam.errors import BadInput
from gleam.networks.unrolled import called
from gleam.physics.compressed_sensing import low_rank, temporal_tv, wavelet
from gleam.physics.measurement import Measurement
from gleam.physics.sense import Sense
from gleam.planning.few import SHORT
from gleam.planning.hollow import empty, hollow_example
from gleam.planning.machine import Machine, machine_of
from gleam.planning.speed import amount, fill_randomly
from gleam.planning.trace import UNKNOWN, Tracer, Work, fake
from gleam.planning.uses import Use, apply, patched, uses
from gleam.preparation.prepare import Prepared
from gleam.recipe import MaskRecipe
from gleam.reconstruction.reconstruct import one_image
from gleam.reconstruction.reconstructor import Classical, Reconstructor, Trained

SMALL = 64  # positions along an axis of what is timed, at most
ITERATED = (wavelet, temporal_tv, low_rank)  # in steps that are alike
FEW = 2e10  # multiplications that take no more than a couple of seconds


@dataclass(frozen=True)
class Needs:
    """Bytes that a reconstruction takes, and its work.

    Attributes:
        weights: of the network.
        each: what one slice, or a volume, takes while it is worked on.
        images: all that are made, where they lie beside it.
        image: one of them, which is in the making with the last slice.
        scan: what was read already.
        overhead: what a GPU takes besides.
        at_once: slices at the same time.
        work: of one slice, or a volume.
    """

    weights: int
    each: int
    images: int
    image: int
    scan: int
    overhead: int
    at_once: int
    work: Work

    @property
    def peak(self) -> int:
        """Bytes in all: while the last slice is made, or when images are put together."""
        making = self.at_once * self.each + self.images - self.image
        return self.weights + self.scan + self.overhead + max(making, 2 * self.images)


def needs(
    method: Reconstructor, example: Example, mask: MaskRecipe | None, machine: Machine, use: Use
) -> Needs:
    """Memory and work of a reconstruction; nothing is read but what tells the mask.

    Raises:
        BadInput: what the method does is not known beforehand.
    """

    def image(method: Reconstructor, example: Example) -> None:
        one_image(method, example, next(every_slice([example], mask, slab=use.slab)))

    return needs_of(image, method, example, machine, use)


def needs_of(
    make: Callable[[Reconstructor, Example], None],
    method: Reconstructor,
    example: Example,
    machine: Machine,
    use: Use,
) -> Needs:
    """Memory and work of what makes an image of a slice, or a volume; see `needs`."""
    mode, traced, repeats = fake(), method, 1.0
    if isinstance(method, Trained):
        count = method.iterations or len(method.network.iterations)
        alike = {type(one) for one in method.network.iterations}
        few = SHORT if len(alike) == 1 else count
        repeats = count / min(few, count)
        # No iteration ends early or is recorded.
        traced = replace(method, iterations=min(few, count), change=None, call=called)
    elif isinstance(method, Classical) and method.method in ITERATED:
        traced = replace(method, method=partial(method.method, steps=SHORT))  # others are alike
    example_without = hollow_example(example, mode)
    tracer = Tracer([], machine.workspace, gpu=machine.is_gpu)
    try:
        with patched(method, use), tracer:
            make(traced, example_without)
    except (*UNKNOWN, NotImplementedError) as error:
        raise BadInput(
            f"{method.name}: what it takes depends on values, or on code that cannot be followed, "
            "so it is not known beforehand; leave out --memory"
        ) from error
    work = Work()
    for part in tracer.trace.work.values():
        work = work.plus(part, repeats)
    slices, _, frames, *_ = example.shape
    image = 0 if machine.is_gpu else frames * int(np.prod(example.header.matrix)) * 8
    return Needs(
        weights=sum(t.nbytes for t in _weights(method)),
        each=max(tracer.trace.peak.total, tracer.reserved),
        images=slices * image,
        image=image,
        scan=_read(example, machine),
        overhead=machine.context,
        at_once=min(use.at_once, slices),
        work=work,
    )


NeedsOf = Callable[[Reconstructor, Example, MaskRecipe | None, Machine, Use], Needs]


def fitted(
    method: Reconstructor,
    example: Example,
    mask: MaskRecipe | None,
    machine: Machine,
    memory: int,
    at_once: int = 1,
    of: NeedsOf = needs,
) -> tuple[Use, Needs]:
    """The use of memory that fits and takes the least time.

    Raises:
        BadInput: none fits; or see `needs`.
    """
    least: Needs | None = None
    for use in uses(method, example, at_once):
        found = of(method, example, mask, machine, use)
        if found.peak <= memory:
            return use, found
        least = min(least or found, found, key=lambda one: one.peak)
    assert least is not None
    raise BadInput(
        f"{example.header.name}: its reconstruction by {method.name} takes "
        f"{in_bytes(least.peak)} of {in_bytes(memory)}, be it in the smallest slabs and patches; "
        f"give it that much memory, or compress coils with --coils (now {example.shape[1]})"
    )


def planned(
    method: Reconstructor,
    example: Example,
    mask: MaskRecipe | None,
    memory: int | None,
    at_once: int = 1,
    of: NeedsOf = needs,
) -> tuple[Use, Needs | None]:
    """The use of memory of a reconstruction that is about to start, and what it takes.

    Args:
        method: how; its network is made to work so.
        example: a prepared scan.
        mask: see `gleam.reconstruction.reconstruct.reconstruct`.
        memory: bytes that there are; None refuses nothing, and does not look at what is short.
        at_once: slices at the same time, at most.
        of: `needs`, or those of more than an image.

    Raises:
        BadInput: it does not fit, or is not known beforehand though memory is said.
    """
    if memory is None and is_short(method, example):
        return Use(at_once), None
    machine = machine_of(str(method.device))
    if memory is not None:
        use, found = fitted(method, example, mask, machine, memory, at_once, of)
        apply(method, use)
        return use, found
    try:
        return Use(at_once), of(method, example, mask, machine, Use(at_once))
    except BadInput:  # nobody asked
        return Use(at_once), None


def in_words(found: Needs, duration: float | None) -> str:
    """Peak and seconds of a reconstruction, in a line."""
    time = "" if duration is None else f" and about {rounded(duration)} s"
    return f"takes {in_bytes(found.peak)} at its peak{time}"


def is_short(method: Reconstructor, example: Example) -> bool:
    """Whether a rough guess is that it takes no more than a couple of seconds: a weight of a
    convolution is multiplied once at each position."""
    weights = sum(weight.numel() for weight in _weights(method))
    slices, _, frames, *space = example.shape
    return weights * slices * frames * float(np.prod(space)) <= FEW


def seconds(method: Reconstructor, example: Example, found: Needs) -> float | None:
    """Seconds that all slices take, about, by a small measurement of the same kind; None where
    how much is done depends on the image.
    """
    if not isinstance(method, Trained):
        return None
    slices, coils, frames, *space = example.shape
    axes = example.header.axes
    small = [min(length, SMALL) for length in space]
    small[: len(space) - 2] = [min(length, 8) for length in space[:-2]]
    one = replace(method, iterations=1, change=None, call=called)

    maps = torch.empty(1, example.sets, coils, 1, *small, dtype=torch.complex64)
    sizes = [n if a in axes else 1 for a, n in zip(range(-len(small), 0), small, strict=True)]
    sense = Sense(maps, torch.ones(1, 1, 1, *sizes, dtype=torch.bool), axes)
    image = torch.empty(1, example.sets, min(frames, 8), *small, dtype=torch.complex64)
    noise = torch.empty(1)
    for tensor in (maps, image, noise):
        fill_randomly(tensor)
    measurement = Measurement(sense, image, noise)
    with _threads(1 if found.at_once > 1 else torch.get_num_threads()):
        best = float("inf")
        for _ in range(3):
            start = time.perf_counter()
            float(one(measurement).abs().sum())
            best = min(best, time.perf_counter() - start)
    mode, tracer = fake(), Tracer([])
    sense = replace(sense, maps=empty(mode, *maps.shape))
    with tracer:
        one(replace(measurement, sense=sense, adjoint=empty(mode, *image.shape)))
    done = sum(amount(work) for work in tracer.trace.work.values())
    return best * amount(found.work) / done * slices / found.at_once


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def lying_there(method: Reconstructor, example: Example, machine: Machine) -> int:
    """Bytes of a method's weights, and of what was read of a scan already."""
    return sum(t.nbytes for t in _weights(method)) + _read(example, machine)


def _read(example: Example, machine: Machine) -> int:
    kspace = example.scan.kspace if isinstance(example, Prepared) else None
    return kspace.nbytes if isinstance(kspace, np.ndarray) and not machine.is_gpu else 0


def _weights(method: Reconstructor) -> list[Tensor]:
    if not isinstance(method, Trained):
        return []
    return [*method.network.parameters(), *method.network.buffers()]
