"""An adaptation to a scan, made to fit into memory before it begins."""

from dataclasses import replace
from pathlib import Path

from gleam.amounts import in_bytes
from gleam.data.example import Example
from gleam.errors import BadInput
from gleam.planning.footprint import footprint
from gleam.planning.inference import lying_there
from gleam.planning.machine import machine_of
from gleam.planning.scans import ScanSize
from gleam.planning.ways import differences, fitted
from gleam.recipe import Recipe
from gleam.reconstruction.reconstructor import Trained
from gleam.runs.adaptation import Adaptation, adapted
from gleam.runs.start import Start


def fitted_adaptation(
    method: Trained, example: Example, how: Adaptation, memory: int
) -> tuple[Adaptation, int | None]:
    """The same adaptation, which fits, and the bytes that it takes; None where it cannot be, as it
    will say itself.

    Args:
        method: of a run, whose network is to learn.
        example: a prepared scan to learn from.
        how: to learn.
        memory: bytes that there are.

    Raises:
        BadInput: it does not fit, whatever is stored.
    """
    try:
        recipe = adapted(Start.of(Path(method.name)), [example], how)
        scan = ScanSize.of(example)
        scan.check(recipe)
    except BadInput:
        return how, None
    recipe = recipe.changed(data={"validation": recipe.data.train})
    machine = machine_of(str(method.device))
    beside = lying_there(method, example, machine)

    def taken(one: Recipe) -> int:
        return footprint(one, scan, machine).peak + beside

    found = fitted(recipe, machine, lambda one: taken(one) <= memory)
    if found is None:
        raise BadInput(
            f"{example.header.name}: to learn from it takes {in_bytes(taken(recipe))} of "
            f"{in_bytes(memory)}, and no less whatever is stored; give it more memory, leave out "
            "--adapt, or run `gleam adapt` with more --modules"
        )
    return replace(how, leaner=differences(recipe, found)), taken(found)
