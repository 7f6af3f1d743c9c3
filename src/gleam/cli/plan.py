"""gleam plan: what of a recipe fits, before it is trained."""

import json
import math
from dataclasses import asdict
from typing import Any

from gleam import recipe as recipes
from gleam import trust
from gleam.amounts import bytes_of, in_bytes
from gleam.cli.options.plan import Arguments
from gleam.errors import BadInput
from gleam.files import check_new
from gleam.planning.footprint import PARTS
from gleam.planning.machine import Machine, machine_of
from gleam.planning.plan import Budget, Offer, Plan, plan
from gleam.planning.scans import scan_of
from gleam.recipe import Recipe

COLUMNS = ("scheme", "storage", "peak", "ms/step", "steps", "deepest", "widest")


def main(a: Arguments) -> None:
    """Run the verb."""
    trust.check(a.recipe.network.build)
    if a.devices < 1:
        raise BadInput(f"plan: --devices is 1 or more, not {a.devices}")
    if a.out is not None:
        check_new(a.out, a.force)
    machine = machine_of(a.device)
    budget = Budget(memory_of(machine, a.memory, "plan"), hours(a.hours, "plan"), a.devices)
    found = plan(a.recipe, scan_of(a.recipe, a.shape, a.coils, a.frames), machine, budget)
    print(json.dumps(_facts(found)) if a.json else _said(found))
    if a.out is not None:
        recipes.save(found.chosen.recipe, a.out)
        if not a.json:
            print(f"{a.out}: {found.chosen.name}")


def memory_of(machine: Machine, text: str | None, verb: str) -> int:
    """Bytes of a device: as it is said, or as it has."""
    if text is not None:
        return bytes_of(text, f"{verb}: --memory")
    if machine.memory is None:
        raise BadInput(f"{verb}: --device cuda: no GPU here; say how much it has, with --memory")
    return machine.memory


def hours(text: float | None, verb: str) -> float | None:
    """Hours of training, which are more than none."""
    if text is not None and not 0 < text < math.inf:
        raise BadInput(f"{verb}: --hours are more than 0, not {text:g}")
    return text


def _said(found: Plan) -> str:
    budget = found.budget
    devices = f"{budget.devices} × " if budget.devices > 1 else ""
    time = "" if budget.hours is None else f", {budget.hours:g} h"
    lines = [f"{found.scan}; {devices}{in_bytes(budget.memory)}{time}, {found.machine}", ""]
    rows = [COLUMNS, *map(_row, found.offers)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines += [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines += [f"{name}: {why}" for name, why in found.missing.items()]
    lines += ["", f"take: {found.chosen.name}, {found.chosen.footprint}"]
    if not found.machine.at_hand:
        lines.append(
            "of a GPU that is not here, times are not known, and cuDNN's workspace is not counted"
        )
    return "\n".join(lines)


def _row(offer: Offer) -> tuple[str, ...]:
    name = f"{offer.name} ({offer.recipe.network.iterations} iterations)"
    if offer.replicas > 1:
        name += f", {offer.replicas} replicas"
    return (
        name,
        _use(offer.recipe),
        in_bytes(offer.footprint.peak),
        "–" if offer.seconds is None else f"{1e3 * offer.seconds:.3g}",
        *("–" if n is None else str(n) for n in (offer.steps, offer.deepest, offer.widest)),
    )


def _use(recipe: Recipe) -> str:
    """Storage, and what else takes less memory."""
    network, t = recipe.network, recipe.training
    more = {
        "patches": network.patch is not None,
        f"idle: {t.idle}": t.idle != "device",
        f"maps: {t.maps}": t.maps != "device",
        "graph: never": t.graph == "never",
    }
    return ", ".join([t.storage, *(words for words, said in more.items() if said)])


def _facts(found: Plan) -> dict[str, Any]:
    def of(offer: Offer) -> dict[str, Any]:
        parts = {name: getattr(offer.footprint, name) for name in PARTS}
        return {
            "scheme": offer.name,
            "peak_bytes": offer.footprint.peak,
            "bytes": parts,
            "validation_bytes": offer.footprint.validation,
            "making_bytes": offer.footprint.making,
            "seconds_per_step": offer.seconds,
            "steps": offer.steps,
            "deepest": offer.deepest,
            "widest": offer.widest,
            "replicas": offer.replicas,
            "recipe": offer.recipe.model_dump(mode="json"),
        }

    return {
        "scan": asdict(found.scan),
        "memory_bytes": found.budget.memory,
        "hours": found.budget.hours,
        "devices": found.budget.devices,
        "device": str(found.machine),
        "offers": [of(offer) for offer in found.offers],
        "chosen": found.chosen.name,
        "missing": found.missing,
    }
