"""Time of a step: two modules are timed on the device at hand, the rest follows from work.

An operation takes some time to be launched, and then as long as there is work in it. Both are found
by a module of two iterations on two sizes of scan, so small that it takes a moment.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from gleam.arrays import AnyTensor
from gleam.networks import build
from gleam.physics.noise import USUAL_NOISE
from gleam.planning.machine import Machine
from gleam.planning.scans import ScanSize, tensors_of
from gleam.planning.step import traced_step
from gleam.planning.trace import Work
from gleam.recipe import BY_ITSELF, END_TO_END, Recipe
from gleam.runs.assembly import make_learner
from gleam.training.graph import EAGER
from gleam.training.timing import settled

# What takes as long as one operation of a convolution, roughly. What is timed, and what follows
# from it, consist of the same kinds of work in nearly the same shares, so no more is needed.
OF_TRANSFORMS, OF_BYTES = 8, 4
Clock = Callable[[], float]

MOST = 4e9  # work of a module that is timed
# Positions of a plane, below which one image is convolved in another, slower way on a CPU.
PLANE = 104 * 104
TIMED = 3  # steps, the fastest of which counts


@dataclass(frozen=True)
class Speed:
    """Speed of a device with one kind of network.

    Attributes:
        per_operation: seconds to launch one.
        per_work: seconds of a unit of work.
    """

    per_operation: float
    per_work: float

    def seconds(self, work: Work) -> float:
        """Time that some work takes."""
        return self.per_operation * work.operations + self.per_work * amount(work)


def amount(work: Work) -> float:
    """Work in one number."""
    return 1.0 * work.convolutions + OF_TRANSFORMS * work.transforms + OF_BYTES * work.moved


def speed(
    recipe: Recipe, scan: ScanSize, machine: Machine, clock: Clock = time.perf_counter
) -> Speed:
    """Speed of a device at hand with the network of a recipe.

    Args:
        recipe: its network, batch, loss and target; how it is cut does not matter.
        scan: what it learns from; smaller ones are timed.
        machine: the device.
        clock: seconds; of the process, say, where others keep the machine busy.
    """
    training = BY_ITSELF | END_TO_END | {"storage": "store", "offload_to": None}
    one = recipe.changed(network={"iterations": 2}, training=training)
    here = replace(machine, is_gpu=machine.device.type == "cuda", workspace=None)
    large = _reduced(one, scan, here)
    small = _halved(one, large)
    works = [_work(one, size, here) for size in (small, large)]
    seconds = [_timed(one, size, here, clock) for size in (small, large)]
    return speed_of(works, seconds)


def speed_of(works: Sequence[Work], seconds: Sequence[float]) -> Speed:
    """The speed by which two pieces of work take so long."""
    (few, some), (more, much) = ((work.operations, amount(work)) for work in works)
    determinant = few * much - more * some
    if determinant > 0:
        per_operation = (seconds[0] * much - seconds[1] * some) / determinant
        per_work = (few * seconds[1] - more * seconds[0]) / determinant
        if per_operation >= 0 and per_work >= 0:
            return Speed(per_operation, per_work)
        if per_work < 0:  # the clock is too coarse, or the machine was busy: all is launching
            return Speed(seconds[1] / more, 0.0)
    return Speed(0.0, seconds[1] / much)


def _work(recipe: Recipe, scan: ScanSize, machine: Machine) -> Work:
    (work,) = traced_step(recipe, scan, machine).trace.work.values()
    return work


def _reduced(recipe: Recipe, scan: ScanSize, machine: Machine) -> ScanSize:
    """The scan, halved until a module has no more work than that; it is as its samples are."""
    share = MOST / amount(_work(recipe, scan, machine))
    smaller, whole = scan, scan.size
    while smaller.size > share * whole and (halved := _halved(recipe, smaller)) != smaller:
        smaller = halved
    return smaller


def _halved(recipe: Recipe, scan: ScanSize) -> ScanSize:
    """Half of it, along frames or slices first: planes that are small are convolved otherwise."""
    if recipe.network.convolves[0] == 3 and scan.frames > 4:
        return replace(scan, frames=scan.frames // 2)
    space = list(scan.space)
    axis = 0
    if len(space) == 2 or space[0] <= 8:
        axis = max(range(-2, 0), key=lambda a: space[a])
        if space[-1] * space[-2] <= PLANE and len(space) == 3:
            axis = 0
    if space[axis] <= 4:
        return scan
    space[axis] //= 2
    return replace(scan, space=tuple(space))


def fill_randomly(tensor: AnyTensor) -> None:
    """Numbers of about the size that a batch has: every second sample, noise, images. Constant ones
    would be solved in a step of CG, where there is a tolerance.
    """
    random = torch.Generator().manual_seed(0)
    if tensor.dtype is torch.bool:
        tensor.bernoulli_(0.5, generator=random)
    elif tensor.is_complex():
        tensor.normal_(0, 0.3, generator=random)
    else:
        tensor.fill_(USUAL_NOISE)


def _timed(recipe: Recipe, scan: ScanSize, machine: Machine, clock: Clock) -> float:
    """Seconds of a step, on numbers that mean nothing."""
    network = build(recipe.network, recipe.seed).to(machine.device)
    learner = make_learner(network, recipe)
    slab = scan.slab(recipe, network)
    batch = scan.batch(recipe, slab, scan.coils, 0)
    for tensor in tensors_of(batch):
        fill_randomly(tensor)
    batch = batch.to(machine.device)
    state = network.start(batch.measurement)
    best = float("inf")
    for step in range(EAGER + TIMED if machine.is_gpu else 1 + TIMED):
        settled(machine.device)
        start = clock()
        learner.learn(state, batch, step)
        settled(machine.device)
        if step:
            best = min(best, clock() - start)
    return best
