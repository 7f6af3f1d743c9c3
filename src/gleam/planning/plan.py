"""`plan`: the schemes that fit, what each costs and allows, and which one to take."""

import math
from dataclasses import dataclass

from gleam.amounts import in_bytes
from gleam.errors import BadInput
from gleam.planning.footprint import Footprint, footprint
from gleam.planning.machine import Machine
from gleam.planning.scans import ScanSize
from gleam.planning.speed import Speed, amount, speed
from gleam.planning.ways import fitted, proposals, schemes
from gleam.planning.widest import widest
from gleam.recipe import STEPS, Recipe
from gleam.search import largest
from gleam.terminal import followed

ENOUGH = 1000  # steps; with fewer, a shallow network learns more in the time (docs/study.md)
DEEPEST = 1000  # that a recipe may say


@dataclass(frozen=True)
class Budget:
    """Memory, time and devices that there are.

    Attributes:
        memory: bytes of each device.
        hours: of training; None for as many steps as the recipe says.
        devices: how many.
    """

    memory: int
    hours: float | None = None
    devices: int = 1


@dataclass(frozen=True)
class Offer:
    """A scheme that fits.

    Attributes:
        name: of the scheme.
        recipe: to train it by.
        footprint: of the device that takes most.
        seconds: of a step; None where the device is not here to be timed.
        steps: in the time there is, or as the recipe says; None where that is not known.
        deepest: most iterations that fit, however activations are stored; None where that cannot
            be said.
        widest: features that fit and fill the memory, in eights; None where that cannot be said.
        replicas: among which a batch is divided; 1 for a pipeline, or one device.
    """

    name: str
    recipe: Recipe
    footprint: Footprint
    seconds: float | None
    steps: int | None
    deepest: int | None
    widest: int | None
    replicas: int = 1


@dataclass(frozen=True)
class Plan:
    """All that fits.

    Attributes:
        scan: what is learnt from.
        machine: what is learnt on.
        budget: what there is.
        offers: the schemes.
        chosen: the one to take.
        missing: schemes that do not fit, or cannot be, and why.
    """

    scan: ScanSize
    machine: Machine
    budget: Budget
    offers: list[Offer]
    chosen: Offer
    missing: dict[str, str]


def plan(recipe: Recipe, scan: ScanSize, machine: Machine, budget: Budget) -> Plan:
    """The schemes that fit, and the one that pays most.

    Raises:
        BadInput: nothing fits, be it one iteration at a time; or the recipe is for other scans.
    """
    scan.check(recipe)
    pace = speed(recipe, scan, machine) if machine.at_hand else None
    planner, offers, missing = _Planner(scan, machine, budget, pace), [], {}
    cuts = schemes(recipe)
    for name, one in followed(cuts.items(), "planning", len(cuts)):
        try:
            offer = planner.offer(name, one)
        except BadInput as error:
            missing[name] = str(error)
            continue
        if offer is None:
            missing[name] = planner.too_large(one)
        else:
            offers.append(offer)
    if not offers:
        raise BadInput(planner.nothing(recipe, missing))
    return Plan(scan, machine, budget, offers, max(offers, key=_pays), missing)


def _pays(offer: Offer) -> tuple[bool, int, float]:
    """Rank by what the study found to pay: depth, where there is time for it; then many steps."""
    taken = offer.footprint
    slowest = max(amount(one.work) for one in taken.devices or (taken,))
    enough = offer.steps is None or offer.steps >= ENOUGH
    return enough, offer.recipe.network.iterations, -slowest


def peak(
    recipe: Recipe, scan: ScanSize, machine: Machine, devices: int = 1
) -> tuple[Footprint, int]:
    """Footprint of the device that takes most, and how many replicas there are.

    Modules form a pipeline; where there are too few of them, the devices divide each batch.

    Raises:
        BadInput: the recipe cannot be trained on so many devices.
    """
    if devices == 1 or (len(recipe.module_sizes()) >= devices and not recipe.training.overlap):
        return footprint(recipe, scan, machine, devices), 1
    batch = recipe.data.batch
    if batch % devices:
        raise BadInput(
            f"has {len(recipe.module_sizes())} modules, too few for a pipeline of {devices} "
            f"devices, and a data.batch of {batch} cannot be divided among them"
        )
    return footprint(recipe.changed(data={"batch": batch // devices}), scan, machine), devices


@dataclass(frozen=True)
class _Planner:
    scan: ScanSize
    machine: Machine
    budget: Budget
    pace: Speed | None

    def offer(self, name: str, recipe: Recipe) -> Offer | None:
        """A scheme, as deep as the recipe says or else as deep as fits; None if it does not."""
        found = fitted(recipe, self.machine, self.fits)
        if found is None:
            shallow = self._deepest(recipe)
            found = fitted(_of_depth(recipe, shallow), self.machine, self.fits) if shallow else None
        if found is None:
            return None
        taken, replicas = peak(found, self.scan, self.machine, self.budget.devices)
        seconds, steps = None, found.training.steps if self.budget.hours is None else None
        if self.pace is not None:
            seconds = max(self.pace.seconds(one.work) for one in taken.devices or (taken,))
        if self.budget.hours is not None:
            if seconds is not None:
                steps = max(1, round(3600 * self.budget.hours / seconds))
            lasting = {"minutes": 60 * self.budget.hours, "steps": STEPS}
            found = found.changed(training=lasting)
        return Offer(
            name=name,
            recipe=found,
            footprint=taken,
            seconds=seconds,
            steps=steps,
            deepest=self._deepest(found),
            widest=self._widest(found),
            replicas=replicas,
        )

    def fits(self, recipe: Recipe) -> bool:
        """Whether no device takes more than there is."""
        return self._peak(recipe) <= self.budget.memory

    def too_large(self, recipe: Recipe) -> str:
        """Reason that a scheme does not fit."""
        return f"takes {in_bytes(self._peak(_of_depth(recipe, recipe.training.frozen + 1)))}"

    def nothing(self, recipe: Recipe, missing: dict[str, str]) -> str:
        """Reason that no scheme fits, and what would."""
        least = "; ".join(f"{name} {why}" for name, why in missing.items())
        single, memory = self.budget.devices == 1, in_bytes(self.budget.memory)
        found = proposals(recipe, self.machine, self.fits) if single else []
        ways = [words for words, _ in found]
        what = f"it fits with {' or with '.join(ways)}" if ways else "give it smaller scans or more"
        return f"nothing fits into {memory}, not even one iteration ({least}); {what}"

    def _peak(self, recipe: Recipe) -> int:
        return peak(recipe, self.scan, self.machine, self.budget.devices)[0].peak

    def _deepest(self, recipe: Recipe) -> int | None:
        if isinstance(recipe.training.modules, list):
            return None
        least = recipe.training.frozen + max(1, recipe.training.overlap + 1)

        def fits(n: int) -> bool:
            return fitted(_of_depth(recipe, n), self.machine, self.fits) is not None

        modules, devices = len(recipe.module_sizes()), self.budget.devices
        if 1 < devices <= modules:  # a pipeline has a module for each
            least = max(least, recipe.training.frozen + devices * max(recipe.module_sizes()))
        return largest(fits, least, DEEPEST, near=recipe.network.iterations)

    def _widest(self, recipe: Recipe) -> int | None:
        if recipe.network.width is None:
            return None

        def taken(width: int) -> Footprint:
            wide = recipe.changed(network={"regulariser": {"width": width}})
            return peak(wide, self.scan, self.machine, self.budget.devices)[0]

        return widest(taken, recipe.network.width, self.budget.memory)


def _of_depth(recipe: Recipe, iterations: int) -> Recipe:
    """The same scheme of another depth: modules stay as long as they are, and shallower stages
    fall away."""
    t = recipe.training
    longest, left = max(recipe.module_sizes()), iterations - t.frozen
    modules = 1 if len(recipe.module_sizes()) == 1 else math.ceil(left / longest)
    overlap = min(t.overlap, modules - 1)
    if t.loss_weights == "last":
        overlap = modules - 1
    stages = tuple(stage for stage in t.stages if stage.iterations >= iterations)
    training = {"modules": modules, "overlap": overlap, "stages": stages}
    return recipe.changed(network={"iterations": iterations}, training=training)
