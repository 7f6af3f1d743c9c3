"""Making a training fit into memory before it begins, or saying what would."""

import math

from gleam.amounts import in_bytes
from gleam.errors import BadInput
from gleam.planning.machine import Machine
from gleam.planning.plan import peak
from gleam.planning.scans import ScanSize
from gleam.planning.ways import differences, fitted, proposals
from gleam.recipe import Recipe

SHARE = 0.5  # of the memory: what is roughly guessed to take less is not looked at


def fit(
    recipe: Recipe, scan: ScanSize, machine: Machine, memory: int, devices: int = 1
) -> tuple[Recipe, list[str]]:
    """Make a recipe fit by what leaves its result alone.

    Returns:
        The recipe, and the fields that were changed, in words.

    Raises:
        BadInput: it does not fit; it says by which changes of the experiment it would.
    """
    scan.check(recipe)

    def fits(one: Recipe) -> bool:
        try:
            return peak(one, scan, machine, devices)[0].peak <= memory
        except BadInput:  # it cannot be trained on so many devices
            return False

    found = fitted(recipe, machine, fits)
    if found is not None:
        return found, _changes(recipe, found)
    ways = [words for words, _ in proposals(recipe, machine, fits)]
    what = f"it fits with {' or with '.join(ways)}" if ways else "no single change makes it fit"
    raise BadInput(
        f"training takes {in_bytes(peak(recipe, scan, machine, devices)[0].peak)} of "
        f"{in_bytes(memory)}, whatever is stored; {what}, which changes the experiment"
    )


def is_small(recipe: Recipe, scan: ScanSize, memory: int) -> bool:
    """Whether a rough guess, without a trace, is that it fits easily."""
    network, t = recipe.network, recipe.training
    if network.width is None:
        return False
    maps = 2 * network.regulariser.blocks + 3
    iterations = max(recipe.module_sizes()) * (t.overlap + 1)
    positions = math.prod(scan.space) * scan.frames * recipe.images_per_step
    images = 2 * network.sets * (16 + 6 * scan.coils)  # those of the next batch, too
    return 4 * positions * (images + 2 * iterations * maps * network.width) < SHARE * memory


def _changes(before: Recipe, after: Recipe) -> list[str]:
    """Fields that differ, with their new values."""
    return [
        f"{part}.{field}: {value}"
        for part, fields in differences(before, after).items()
        for field, value in fields.items()
    ]
