"""gleam plan: what of a recipe fits, before it is trained."""

import json
from dataclasses import asdict
from typing import Any

from gleam import recipe as recipes
from gleam import trust
from gleam.cli.options.plan import Arguments
from gleam.errors import BadInput
from gleam.files import check_new
from gleam.planning.footprint import PARTS
from gleam.planning.machine import machine_of
from gleam.planning.plan import Budget, Offer, Plan, plan
from gleam.planning.said import hours_of, memory_of, table
from gleam.planning.scans import scan_of


def main(a: Arguments) -> None:
    """Run the verb."""
    trust.check(a.recipe.network.build)
    if a.devices < 1:
        raise BadInput(f"plan: --devices is 1 or more, not {a.devices}")
    if a.out is not None:
        check_new(a.out, a.force)
    machine = machine_of(a.device)
    budget = Budget(memory_of(machine, a.memory, "plan"), hours_of(a.hours, "plan"), a.devices)
    found = plan(a.recipe, scan_of(a.recipe, a.shape, a.coils, a.frames), machine, budget)
    print(json.dumps(_facts(found)) if a.json else table(found))
    if a.out is not None:
        recipes.save(found.chosen.recipe, a.out)
        if not a.json:
            print(f"{a.out}: {found.chosen.name}")


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
