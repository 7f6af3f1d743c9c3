"""Advice where a training finds no room in memory: what it asked for, and what would fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gleam.errors import OutOfMemory
from gleam.memory import asked_for, exhausted
from gleam.recipe import Recipe
from gleam.runs import folder as run_folder


@contextmanager
def room_for(recipe: Recipe, folder: Path, go_on: str) -> Iterator[None]:
    """Train within it, so that one line says what to do where memory runs out.

    Args:
        recipe: of the run.
        folder: of the run; its last checkpoint stays.
        go_on: the command that goes on with it.

    Raises:
        OutOfMemory: for any error that means this.
    """
    try:
        yield
    except Exception as error:
        if not exhausted(error):
            raise
        line = f"{asked_for(error)}; less is taken with {' or '.join(smaller(recipe))}"
        if run_folder.is_there(folder):
            line += f"; where there is more, {go_on}"
        raise OutOfMemory(line) from error


def smaller(recipe: Recipe) -> list[str]:
    """Changes of a recipe that would take less memory, what costs least first."""
    t, data, iterations = recipe.training, recipe.data, recipe.network.iterations
    modules = len(recipe.module_sizes())
    ways = []
    if t.overlap:
        ways.append(f"less training.overlap (now {t.overlap})")
    if modules < iterations - t.frozen:
        ways.append(f"more training.modules (now {modules} of {iterations - t.frozen})")
    if t.storage == "store":
        ways.append("training.storage: checkpoint")
    if t.idle == "device" and modules > 1:
        ways.append("training.idle: host (on a CPU, a folder)")
    if recipe.images_per_step > data.batch:
        ways.append(f"fewer training.holdout.splits (now {t.holdout.splits})")
    if data.batch > 1:
        ways.append(f"a smaller data.batch (now {data.batch})")
    if data.slab is not None:
        ways.append(f"a smaller data.slab (now {data.slab})")
    elif recipe.network.convolves[0] == 3:
        ways.append("data.slab, for volumes")
        if t.maps == "device" and recipe.network.build is None:
            ways.append("training.maps: host (on a GPU)")
    if recipe.network.width is not None:
        ways.append(f"a smaller network.regulariser.width (now {recipe.network.width})")
    return ways or ["a smaller network"]
