"""The first part of a comparison: what each scheme costs, and so what it may take.

What was measured is kept in `costs.json`: a comparison that goes on later goes on with the same
numbers of steps.
"""

import json
import statistics
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from gleam.comparison.cost import Stepper
from gleam.comparison.fit import largest_that_fits
from gleam.comparison.plan import Plan
from gleam.data.batch import Batch
from gleam.data.example import Example, find
from gleam.data.slices import taken
from gleam.errors import BadInput
from gleam.files import write_json
from gleam.memory import exhausted
from gleam.networks import build
from gleam.recipe import Recipe
from gleam.runs.assembly import training_batches
from gleam.runs.learner import Cost
from gleam.terminal import followed
from gleam.training.timing import interleaved, ratio

REPEATS = 9  # of a step, to time it


@dataclass(frozen=True)
class Entry:
    """A scheme, its budget settled.

    Attributes:
        recipe: as it will be trained, but for learning rate and seed.
        cost: memory of a training step.
        seconds: of a step, as the time of the scheme compared against, measured once, times the
            ratio of the two.
        ratio: time of a step over that of the scheme compared against.
    """

    recipe: Recipe
    cost: Cost
    seconds: float
    ratio: float


def measure(plan: Plan, folder: Path, device: torch.device) -> dict[str, Entry | None]:
    """Measure every scheme, fit it to the memory and give it its steps.

    Memory and time are those of a batch of the largest example.

    Args:
        plan: the schemes.
        folder: of the comparison.
        device: where to train.

    Returns:
        By name; None where a scheme does not fit in the device's memory, or, when it is to be
        made smaller, even the smallest takes more than the one compared against.

    Raises:
        BadInput: the scheme that the others are compared against does not fit; `costs.json` is
            broken.
    """
    path = folder / "costs.json"
    known = known_costs(path)
    try:
        against = Stepper(plan.base, largest_batch(plan.base), device)
        limit = against.cost().memory
    except Exception as error:
        if not exhausted(error):
            raise
        raise BadInput(
            f"compare: {plan.against}, which the others are measured by, does not fit in memory; "
            "name another with compare.against"
        ) from error
    entries: dict[str, Entry | None] = {}
    names = list(plan.recipes)
    for name in followed(names, "measuring", len(names)):
        recipe, scheme = plan.recipes[name], plan.compare.schemes[name]
        asked = {"recipe": priced(recipe), "against": priced(plan.base), "fit": scheme.fit}
        if _completed(known.get(name, {}).get("asked")) != asked:
            known[name] = {"asked": asked, "found": None}
            found: Recipe | None = recipe
            batch = largest_batch(recipe)
            if scheme.fit is not None:
                fits = partial(_fits, batch=batch, device=device, limit=limit)
                found = largest_that_fits(recipe, scheme.fit, fits)
            if found is not None:
                known[name]["found"] = _measured(found, batch, device, against)
            write_json(path, known)
        seconds = known[plan.against]["found"]["seconds"]
        entries[name] = _entry(plan, name, known[name]["found"], seconds)
    return entries


def _entry(plan: Plan, name: str, found: dict[str, Any] | None, seconds: float) -> Entry | None:
    """The scheme's recipe with what was found: its size, and the steps that its time allows."""
    if found is None:
        return None
    recipe = plan.recipes[name]
    network = {"iterations": found["iterations"]}
    if found["width"] is not None:
        network["regulariser"] = {"width": found["width"]}
    of_time = 1.0 if name == plan.against else found["ratio"]
    steps = plan.base.training.steps
    if plan.compare.schemes[name].budget == "time":
        steps = max(1, round(steps / of_time))
    return Entry(
        recipe=recipe.changed(network=network).lasting(steps),
        cost=Cost(**found["cost"]),
        seconds=seconds * of_time,
        ratio=of_time,
    )


def _measured(
    recipe: Recipe, batch: Batch, device: torch.device, against: Stepper
) -> dict[str, object] | None:
    try:
        stepper = Stepper(recipe, batch, device)
        cost = stepper.cost()
        times = interleaved({"own": stepper, "against": against}, REPEATS)
    except Exception as error:
        if not exhausted(error):
            raise
        return None
    network = recipe.network
    return {
        "iterations": network.iterations,
        "width": network.width,
        "cost": asdict(cost),
        "seconds": statistics.median(times["against"]),
        "ratio": ratio(times["own"], times["against"]),
    }


def _fits(recipe: Recipe, batch: Batch, device: torch.device, limit: int) -> bool:
    try:
        return Stepper(recipe, batch, device).cost().memory <= limit
    except Exception as error:
        if not exhausted(error):
            raise
        return False


def largest_batch(recipe: Recipe) -> Batch:
    """A training batch of slices, or slabs, of the example with the most numbers in one."""
    network = build(recipe.network)

    def size(example: Example) -> int:
        coils = example.shape[1]
        return coils * torch.Size(training_batches([example], recipe, network).shape(0)).numel()

    examples = taken(find(recipe.data.train, recipe.network.sets), recipe.data.volumes)
    example = max(examples, key=size)
    return training_batches([example], recipe, network).at(0)


def known_costs(path: Path) -> dict[str, Any]:
    """Costs that were measured before, by scheme."""
    try:
        return dict(json.loads(path.read_text())) if path.is_file() else {}
    except (ValueError, TypeError, OSError) as error:
        raise BadInput(f"{path}: is broken; remove it to measure again") from error


def priced(recipe: Recipe) -> dict[str, Any]:
    """The part of a recipe that costs depend on: all but how long, and how fast, it learns."""
    learning = {
        "steps", "minutes", "learning_rate", "warmup", "validate_every", "checkpoint_every", "keep",
        "polish", "loggers",
    }  # fmt: skip
    return recipe.model_dump(mode="json", exclude={"seed": True, "training": learning})


def _completed(asked: dict[str, Any] | None) -> dict[str, Any] | None:
    """The recipe with fields that recipes have got since, at their defaults."""
    if asked is None:
        return None
    try:
        recipes = {key: priced(Recipe.model_validate(asked[key])) for key in ("recipe", "against")}
    except (ValidationError, KeyError, TypeError):
        return None
    return {**asked, **recipes}
