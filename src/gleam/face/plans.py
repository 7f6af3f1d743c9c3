"""`plan`: what of a recipe fits into the memory and the time there are, before it is trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gleam.amounts import in_bytes
from gleam.errors import BadInput
from gleam.face.runs import recipe_of
from gleam.face.words import in_python, whole_numbers
from gleam.planning import plan as planning
from gleam.planning.machine import machine_of
from gleam.planning.plan import Budget
from gleam.planning.said import hours_of, memory_of, table
from gleam.planning.scans import scan_of
from gleam.recipe import Recipe
from gleam.trust import trusting
from gleam.words import counted


class Plan(planning.Plan):
    """Training schemes that fit, `offers`, and the one that pays most, `chosen`.

    Each has a `recipe` to train it by, its `footprint` and the `seconds` of a step; `print` shows
    all of them, and `missing` says why others do not fit.

    >>> recipe = {"network": {"family": "pgd", "iterations": 2}, "training": {"modules": 2}}
    >>> found = gleam.plan(recipe, memory="1GiB", shape=(32, 32), coils=4, device="cpu")
    >>> found
    <Plan for 32 × 32, 4 coils: take ..., 2 iterations, ... MiB of 1 GiB>
    >>> found.chosen.recipe.training.storage
    'store'
    """

    def __repr__(self) -> str:
        chosen, memory = self.chosen, in_bytes(self.budget.memory)
        depth = counted(chosen.recipe.network.iterations, "iteration")
        peak = in_bytes(chosen.footprint.peak)
        return f"<Plan for {self.scan}: take {chosen.name}, {depth}, {peak} of {memory}>"

    def __str__(self) -> str:
        return table(self)


@in_python()
def plan(
    recipe: Recipe | str | Path | Mapping[str, Any],
    *,
    memory: str | int | None = None,
    hours: float | None = None,
    shape: Sequence[int] | None = None,
    coils: int | None = None,
    frames: int | None = None,
    devices: int = 1,
    device: str = "auto",
    trust: Sequence[str] = (),
    **changes: Any,
) -> Plan:
    """Schemes of a recipe that fit, and the one that pays most; see docs/plan.md.

    Nothing is trained, but a step of each scheme is timed where the device is here.

    >>> recipe = {"network": {"family": "pgd", "iterations": 2}, "training": {"modules": 2}}
    >>> found = gleam.plan(recipe, memory="1GiB", shape=(32, 32), coils=4, device="cpu")
    >>> print(found)
    32 × 32, 4 coils; 1 GiB, ...
    >>> [offer.name for offer in found.offers][0]
    'as the recipe says'

    Args:
        recipe: its file, or its fields; see docs/recipes.md.
        memory: of each device, in bytes or as "24GiB"; by default all that it has.
        hours: of training, instead of the steps that the recipe says.
        shape: of a slice (y x) or a volume (z y x); by default that of the largest example that
            the recipe learns from.
        coils: of a scan, with `shape`.
        frames: of a series, with `shape`.
        devices: how many there are.
        device: where it is to run; "cuda" is any GPU, where there is none here.
        trust: packages that the recipe may take its network from.
        changes: of the recipe, part by part: training={"modules": 8}.

    Raises:
        BadInput: nothing fits; or the recipe is for other scans than these.
    """
    if devices < 1:
        raise BadInput(f"plan: --devices is 1 or more, not {devices}")
    sizes = None if shape is None else whole_numbers(shape, "shape")
    machine = machine_of(device)
    chosen = recipe_of(recipe).changed(**changes)
    budget = Budget(memory_of(machine, memory, "plan"), hours_of(hours, "plan"), devices)
    with trusting(trust):
        scan = scan_of(chosen, sizes, coils, frames)
        return Plan(**vars(planning.plan(chosen, scan, machine, budget)))
