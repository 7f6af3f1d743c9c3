"""Less memory: ways that leave the result alone, and changes of the experiment.

The first are chosen freely; the second are only proposed, by name.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gleam.errors import BadInput
from gleam.planning.machine import Machine
from gleam.recipe import END_TO_END, Recipe

Fits = Callable[[Recipe], bool]
NARROWEST = 8  # features of a convolution


@dataclass(frozen=True)
class Way:
    """A way to train the same network to the same weights.

    Attributes:
        changes: fields of the recipe, part by part.
        gpu: it makes a difference on a GPU only.
    """

    changes: dict[str, dict[str, Any]]
    gpu: bool = False


STORE = {"storage": "store", "offload_to": None}
CHECKPOINT = {"storage": "checkpoint", "offload_to": None}
ANEW = {"graph": "never"}  # no buffers of what modules hand on, but each kernel is launched
ON_HOST = {"idle": "host"}  # whose kernels are launched anew as well
MAPS = {"maps": "host"}  # which are copied for every AᴴA
PATCHES = {"patch": "auto"}

# What costs least time first. Whoever adds a way adds a line: each is tried by itself, on top of
# the recipe, so what is to go together stands in one.
FREE = (
    Way({"training": STORE}),
    Way({"training": ANEW}, gpu=True),
    Way({"training": ON_HOST}, gpu=True),
    Way({"training": {"storage": "offload", "offload_to": None}}, gpu=True),
    Way({"training": CHECKPOINT}),
    Way({"training": {"storage": "invert", "offload_to": None}}),
    Way({"network": PATCHES}),
    Way({"training": CHECKPOINT | ANEW}, gpu=True),
    Way({"training": ANEW, "network": PATCHES}, gpu=True),
    Way({"training": CHECKPOINT | ON_HOST}, gpu=True),
    Way({"training": CHECKPOINT | ANEW, "network": PATCHES}, gpu=True),
    Way({"training": CHECKPOINT | ON_HOST, "network": PATCHES}, gpu=True),
    Way({"training": MAPS}, gpu=True),
    Way({"training": CHECKPOINT | ON_HOST | MAPS, "network": PATCHES}, gpu=True),
)


def fitted(recipe: Recipe, machine: Machine, fits: Fits) -> Recipe | None:
    """The recipe, made to fit by what leaves its result alone; None where nothing does.

    Args:
        recipe: taken as it is, if it fits.
        machine: to fit on.
        fits: whether a recipe does.
    """
    for candidate in _free(recipe, machine):
        if fits(candidate):
            return candidate
    return None


def _free(recipe: Recipe, machine: Machine) -> Iterator[Recipe]:
    yield recipe
    for way in FREE:
        if way.gpu and not machine.is_gpu:
            continue
        changed = _changed(recipe, **way.changes)  # not every network can be undone
        if changed not in (None, recipe):
            yield changed


def schemes(recipe: Recipe) -> dict[str, Recipe]:
    """The recipe as it is, and cut otherwise; no two are cut alike."""
    n = recipe.network.iterations - recipe.training.frozen
    cuts = {
        "as the recipe says": {},
        "greedy, modules of two": END_TO_END | {"modules": math.ceil(n / 2)},
        "greedy, modules of one": END_TO_END | {"modules": n},
        "end-to-end": END_TO_END,
    }
    made: dict[str, Recipe] = {}
    for name, training in cuts.items():
        one = recipe.changed(training=training)
        alike = (other.module_sizes() == one.module_sizes() for other in made.values())
        if not any(alike):
            made[name] = one
    return made


def proposals(recipe: Recipe, machine: Machine, fits: Fits) -> list[tuple[str, Recipe]]:
    """Changes of the experiment by which it fits, in words and made; what changes least first."""
    found = []
    for series in _smaller(recipe):
        for words, candidate in series:
            made = fitted(candidate, machine, fits)
            if made is not None:
                found.append((words, made))
                break
    return found


def _smaller(recipe: Recipe) -> Iterator[Iterator[tuple[str, Recipe]]]:
    """Each field that may be changed: ever smaller values of it."""
    t, data, n = recipe.training, recipe.data, recipe.network.iterations
    left, now = n - t.frozen, len(recipe.module_sizes())
    if t.loss_weights != "last":
        if t.overlap:
            yield _each(recipe, "training", "overlap", range(t.overlap - 1, -1, -1))
        cuts = sorted({math.ceil(left / size) for size in (4, 2, 1)} - {*range(now + 1)})
        yield _each(recipe, "training", "modules", cuts)
    if recipe.images_per_step > data.batch:
        yield (
            (f"training.holdout.splits: {number} (now {t.holdout.splits})", one)
            for number in range(t.holdout.splits - 1, 0, -1)
            if (one := _changed(recipe, training={"holdout": {"splits": number}}))
        )
    yield _each(recipe, "data", "batch", _halves(data.batch))
    if data.slab is not None:
        yield _each(recipe, "data", "slab", _halves(data.slab))
    elif recipe.network.convolves[0] == 3 and not recipe.network.regulariser.circular:
        yield _each(recipe, "data", "slab", (64, 32, 16, 8, 4))
    if isinstance(t.modules, int):
        yield _fewer(recipe)
    if recipe.network.width is not None:
        widths = _halves(recipe.network.width, NARROWEST)
        yield (
            (f"network.regulariser.width: {width}", one)
            for width in widths
            if (one := _changed(recipe, network={"regulariser": {"width": width}}))
        )


def _each(recipe: Recipe, part: str, field: str, values: Any) -> Iterator[tuple[str, Recipe]]:
    now = getattr(getattr(recipe, part), field)
    for value in values:
        one = _changed(recipe, **{part: {field: value}})
        if one is not None:
            yield f"{part}.{field}: {value} (now {'none' if now is None else now})", one


def _fewer(recipe: Recipe) -> Iterator[tuple[str, Recipe]]:
    for n in _halves(recipe.network.iterations, recipe.training.frozen + 1):
        modules = min(len(recipe.module_sizes()), n - recipe.training.frozen)
        one = _changed(recipe, network={"iterations": n}, training={"modules": modules})
        if one is not None:
            yield f"network.iterations: {n} (now {recipe.network.iterations})", one


def _changed(recipe: Recipe, **changes: Any) -> Recipe | None:
    try:
        return recipe.changed(**changes)
    except BadInput:  # it does not go with the rest
        return None


def differences(before: Recipe, after: Recipe) -> dict[str, dict[str, Any]]:
    """Fields that differ, part by part: what `before` is to be changed by."""
    found: dict[str, dict[str, Any]] = {}
    for part in ("data", "network", "training"):
        old, new = dict(getattr(before, part)), dict(getattr(after, part))
        if changes := {name: new[name] for name in new if new[name] != old[name]}:
            found[part] = changes
    return found


def _halves(number: int, least: int = 1) -> list[int]:
    """Smaller numbers, each about half of the one before."""
    found = []
    while (number := number // 2) >= least:
        found.append(number)
    return found
