"""What can be said to `gleam compare`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from gleam.cli.arguments import Device, Trust, parse
from gleam.comparison import plan
from gleam.errors import BadInput
from gleam.recipe import Recipe


@dataclass(frozen=True)
class Arguments:
    """Train schemes at equal memory, equal steps or equal wall-clock, score and report them.

    The recipe's part `compare` lists the schemes, test sets, seeds and learning rates (see
    docs/compare.md). A recipe without one is compared with its rivals: end-to-end, checkpointing,
    the reversible network, shallow and narrow networks. Stop it with Ctrl-C; the same command goes
    on, and what was trained is not trained again.

    Example: gleam compare recipes/study/modl.yaml --out comparison --workers 2
    """

    file: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="RECIPE")] = None
    """Recipe, a .yaml file; any of its fields can be said here instead."""
    out: Path = Path("comparison")
    """Folder of everything."""
    schemes: tuple[str, ...] = ()
    """Only these; by default all."""
    seeds: int | None = None
    """Networks of each scheme; by default what the recipe says."""
    test: tuple[Path, ...] = ()
    """Folders of example files to score on, by their own names, instead of the recipe's."""
    workers: int = 1
    """Runs trained at a time, each in its own process and with one thread."""
    device: Device = "auto"
    trust: Trust = ()
    dry_run: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Only try every scheme out, on a tiny simulated scan: no data are needed, nothing is
    written."""
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace runs of other recipes that are there; and score on scans that are learnt from, and on
    other kinds of scans than those."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as JSON."""
    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = field(default_factory=Recipe)


def read(arguments: Sequence[str]) -> Arguments:
    """From the command line; what a recipe file says is the default.

    Raises:
        BadInput: see `parse` and `plan.read`; or no recipe.
    """
    named = next((Path(a) for a in arguments if a.endswith((".yaml", ".yml"))), None)
    base = plan.read(named)[0] if named else Recipe()
    a = parse(Arguments, "compare", arguments, Arguments(recipe=base))
    if named is None or a.file != named:
        raise BadInput("compare: say which schemes, with a recipe, one .yaml file")
    return a
