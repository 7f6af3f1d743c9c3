"""`footprint`: what a training takes at its peak, without running it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from gleam.amounts import in_bytes
from gleam.parallel.placement import Placement, partition
from gleam.planning.few import representatives, traced, work_of_all
from gleam.planning.machine import Machine
from gleam.planning.making import making
from gleam.planning.scans import ScanSize
from gleam.planning.step import Step, traced_step
from gleam.planning.trace import Trace, Work
from gleam.planning.validation import validation
from gleam.recipe import BY_ITSELF, STEPS, Recipe
from gleam.training.graph import graphable

PARTS = (
    "parameters", "gradients", "optimizer", "activations", "workspace", "data", "overhead",
)  # fmt: skip


@dataclass(frozen=True)
class Footprint:
    """Bytes on one device at the peak of a training step.

    Attributes:
        parameters: weights.
        gradients: of weights.
        optimizer: its states.
        activations: what is kept for the backward pass, and what is in the making.
        workspace: of a convolution, beside its result.
        data: a batch: coil sensitivities, mask, zero-filled image and target; on a CPU also the
            next one, with all that making it takes.
        overhead: what a GPU takes besides: its context, and memory that lies between tensors.
        validation: what a validation takes instead of gradients, activations and workspace; 0 where
            there is none.
        making: what a GPU takes beside the batch while the next is made, instead of the same.
        work: of a step.
        devices: of a pipeline, each one's; this is that of the one that takes most.
    """

    parameters: int
    gradients: int
    optimizer: int
    activations: int
    workspace: int
    data: int = 0
    overhead: int = 0
    validation: int = 0
    making: int = 0
    work: Work = field(default_factory=Work, repr=False, compare=False)
    devices: tuple["Footprint", ...] = field(default=(), repr=False)

    @property
    def metered(self) -> int:
        """Bytes that training says of itself: all but the batch, and what a GPU takes besides."""
        return self.parameters + self.optimizer + self.step

    @property
    def peak(self) -> int:
        """Bytes in all, of whatever takes most: a training step, a validation, making a batch."""
        more = max(0, self.validation - self.step, self.making - self.step)
        return self.metered + self.data + self.overhead + more

    @property
    def step(self) -> int:
        """Bytes that come and go with a training step."""
        return self.gradients + self.activations + self.workspace

    def __str__(self) -> str:
        parts = {name: getattr(self, name) for name in PARTS}
        text = ", ".join(f"{name} {in_bytes(size)}" for name, size in parts.items() if size)
        other = {self.validation: "of a validation", self.making: "while a batch is made"}
        most = max(other)
        more = f"; it is that {other[most]}, {in_bytes(most)} where a step takes less"
        return f"{in_bytes(self.peak)}: {text}{more if most > self.step else ''}"


def footprint(recipe: Recipe, scan: ScanSize, machine: Machine, devices: int = 1) -> Footprint:
    """Memory of the device that takes most; see `footprints`."""
    all_of_them = footprints(recipe, scan, machine, devices)
    largest = max(all_of_them, key=lambda one: one.peak)
    return replace(largest, devices=tuple(all_of_them)) if devices > 1 else largest


def footprints(
    recipe: Recipe, scan: ScanSize, machine: Machine, devices: int = 1
) -> list[Footprint]:
    """Memory of each device of a pipeline; modules are divided so that each takes about as long.

    Args:
        recipe: of the training.
        scan: what it learns from.
        machine: each device.
        devices: how many.

    Raises:
        BadInput: the recipe is for other scans, or cannot be trained on so many devices.
    """
    scan.check(recipe)
    Placement().check(recipe, devices)
    sizes = recipe.module_sizes()
    places = partition([float(size) for size in sizes], devices)
    found, first = [], 0
    for count in places:
        found.append(_of(recipe, sizes[first : first + count], scan, machine, first == 0))
        first += count
    return found


def _of(
    recipe: Recipe, sizes: Sequence[int], scan: ScanSize, machine: Machine, at_head: bool
) -> Footprint:
    """Memory of the device that holds modules of these lengths."""
    steps: list[Step] = []

    def trace(few: list[int]) -> Trace:
        steps.append(_step(_shortened(recipe, few), scan, machine))
        return steps[-1].trace

    few = representatives(sizes, recipe.training.overlap)
    anchored = recipe.training.storage == "invert" and recipe.network.regulariser.coupling
    whole = traced(few, trace, regular=not anchored)
    step, held = steps[-1], whole.peak
    frozen = recipe.training.frozen if at_head else 0
    there = _there(recipe, sizes, machine)
    data, overhead, made = step.data, 0.0, making(recipe, scan, machine, step.slab)
    if machine.is_gpu:
        made -= data
        overhead = machine.context + (step.spread - 1) * held.total
        if graphable(recipe) is None:  # buffers of a batch, and of what modules hand on
            data += step.buffers + (len(sizes) + 1) * step.state
    else:
        data, made = data + made, 0
    return Footprint(
        parameters=step.parameters * (there + frozen) // step.iterations,
        gradients=held.gradients,
        optimizer=step.optimizer * there // step.iterations,
        activations=held.activations,
        workspace=held.workspace,
        data=data,
        overhead=round(overhead),
        validation=validation(recipe, scan, machine),
        making=made,
        work=work_of_all(sizes, few, whole),
    )


def _there(recipe: Recipe, sizes: Sequence[int], machine: Machine) -> int:
    """Iterations whose weights and optimizer states are on the device at a time."""
    t = recipe.training
    if t.idle == "device" or (t.idle == "host" and not machine.is_gpu):
        return sum(sizes)
    if not machine.is_gpu:
        return 0  # all of them are a file, mapped into memory
    return min(sum(sizes), max(sizes) * (t.overlap + 2))  # those at work, and the next


def _shortened(recipe: Recipe, few: list[int]) -> Recipe:
    """The recipe of a network that consists of a few modules, trained from the beginning; for how
    long, and how it is launched, changes no tensor."""
    training = BY_ITSELF | {"modules": few, "steps": STEPS, "minutes": None, "graph": "auto"}
    return recipe.changed(network={"iterations": sum(few)}, training=training)


@lru_cache(maxsize=256)
def _kept(key: str, scan: ScanSize, machine: Machine) -> Step:
    return traced_step(Recipe.model_validate_json(key), scan, machine)


def _step(recipe: Recipe, scan: ScanSize, machine: Machine) -> Step:
    """Traced once: devices of a pipeline, and plans, ask for the same again."""
    return _kept(recipe.model_dump_json(), scan, machine)
