"""Words of people to a planner, and of a planner to people."""

import math

from gleam.amounts import bytes_of, in_bytes, rounded
from gleam.errors import BadInput
from gleam.planning.machine import Machine
from gleam.planning.plan import Offer, Plan
from gleam.recipe import Recipe
from gleam.words import counted

COLUMNS = ("scheme", "storage", "peak", "ms/step", "steps", "deepest", "widest")


def memory_of(machine: Machine, said: str | int | None, verb: str) -> int:
    """Bytes of a device: as it is said, or as it has."""
    if said is not None:
        return bytes_of(said, f"{verb}: --memory") if isinstance(said, str) else said
    if machine.memory is None:
        raise BadInput(f"{verb}: --device cuda: no GPU here; say how much it has, with --memory")
    return machine.memory


def hours_of(said: float | None, verb: str) -> float | None:
    """Hours of training, which are more than none."""
    if said is not None and not 0 < said < math.inf:
        raise BadInput(f"{verb}: --hours are more than 0, not {said:g}")
    return said


def table(found: Plan) -> str:
    """All that fits, a line each, and what to take."""
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
    name = f"{offer.name} ({counted(offer.recipe.network.iterations, 'iteration')})"
    if offer.replicas > 1:
        name += f", {offer.replicas} replicas"
    return (
        name,
        _use(offer.recipe),
        in_bytes(offer.footprint.peak),
        "–" if offer.seconds is None else rounded(1e3 * offer.seconds, 3),
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
