"""Arguments of `gleam plan`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from gleam.cli.arguments import Flag, Trust, parse, recipe_named
from gleam.comparison import plan as comparison
from gleam.errors import BadInput
from gleam.recipe import Recipe

PlanningDevice = Annotated[
    str,
    tyro.conf.arg(
        metavar="auto|cpu|cuda|cuda:N",
        help="Device to plan for; cuda is any GPU where there is none here, and auto is as ever.",
    ),
]


@dataclass(frozen=True)
class Arguments:
    """Say which training schemes of a recipe fit, without training: memory, time, steps, sizes.

    Nothing is run but two modules, for a moment, to know the speed of this machine. What is chosen
    for you never changes the experiment, but for the scheme: that is what the plan is about.

    Example: gleam plan recipes/poisson-8x.yaml --shape 320 320 256 --coils 8 --memory 24GiB
    """

    file: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="RECIPE")] = None
    """Recipe, a .yaml file; any of its fields can be said as an option instead."""
    shape: tuple[int, ...] | None = None
    """Positions of a slice, y x, or of a volume, z y x; by default those of the largest example
    that the recipe learns from."""
    coils: int | None = None
    """Number of coils, with --shape."""
    frames: int | None = None
    """Number of frames of a series, with --shape."""
    memory: str | None = None
    """Memory of each device, as 24GiB; by default that of this machine."""
    hours: float | None = None
    """Time to train; by default as many steps as the recipe says."""
    devices: int = 1
    """Number of devices: a pipeline, or where there are fewer modules, parts of each batch."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """Recipe file to write: the scheme that pays most."""
    device: PlanningDevice = "auto"
    trust: Trust = ()
    json: Flag = False
    """Print the plan as JSON."""
    force: Flag = False
    """Replace a recipe file that is there."""
    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = field(default_factory=Recipe)


def read(arguments: Sequence[str]) -> Arguments:
    """Read them from the command line; what a recipe file says is the default.

    Raises:
        BadInput: see `parse` and `comparison.plan.read`.
    """
    named = recipe_named(arguments)
    base = comparison.read(named)[0] if named else Recipe()
    a = parse(Arguments, "plan", arguments, Arguments(recipe=base))
    if a.file != named:
        raise BadInput(f"plan: {a.file}: is not a recipe, which is one .yaml file")
    return a
