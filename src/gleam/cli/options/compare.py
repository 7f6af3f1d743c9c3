"""Options of `gleam compare`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from gleam.cli.arguments import Device, Flag, Trust, parse, recipe_named
from gleam.comparison import plan
from gleam.errors import BadInput
from gleam.recipe import Recipe


@dataclass(frozen=True)
class Arguments:
    """Train schemes at equal memory, equal steps or equal wall-clock, score and report them.

    The recipe's part `compare` lists the schemes, test sets, seeds and learning rates (see
    docs/compare.md). A recipe without one is compared with its rivals: end-to-end, activation
    checkpointing, the reversible network, shallow and narrow networks. Stop it with Ctrl-C; the
    same command goes on, and what was trained is not trained again.

    Example: gleam compare recipes/study/modl.yaml --out comparison --workers 2
    """

    file: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="RECIPE")] = None
    """Recipe, a .yaml file; any of its fields can be said as an option instead."""
    out: Path = Path("comparison")
    """Folder for everything that the comparison writes: runs, scores and report."""
    schemes: tuple[str, ...] = ()
    """Names of the schemes to compare; by default all of the recipe's."""
    seeds: int | None = None
    """Number of networks trained of each scheme; by default what the recipe says. More of them tell
    chance from gain, and take as many times as long."""
    test: tuple[Path, ...] = ()
    """Folders of example files to score on, named by themselves in the report; by default the
    recipe's."""
    workers: int = 1
    """Number of runs trained at a time, each in its own process and with one thread."""
    submit: Literal["slurm", "local"] | None = None
    """Cluster whose jobs measure and train, as arrays through submitit; this program waits for them
    and scores. local starts processes here instead, to try it out. By default all is done here."""
    submit_options: tuple[str, ...] = ()
    """Parameters of the jobs with --submit, NAME=VALUE each, as submitit calls them: say
    slurm_partition=gpu gpus_per_node=1 timeout_min=240 slurm_array_parallelism=16."""
    device: Device = "auto"
    trust: Trust = ()
    dry_run: Flag = False
    """Try every scheme out on a tiny simulated scan, and do nothing else: no data are needed,
    nothing is written."""
    force: Flag = False
    """Replace runs of other recipes, or another verb's report, that are there; and score on scans
    that the networks learnt from, and on other kinds of scans."""
    json: Flag = False
    """Print the result as JSON."""
    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = field(default_factory=Recipe)


def read(arguments: Sequence[str]) -> Arguments:
    """Read the command line; what a recipe file says is the default.

    Raises:
        BadInput: see `parse` and `plan.read`; or no recipe.
    """
    named = recipe_named(arguments)
    base = plan.read(named)[0] if named else Recipe()
    a = parse(Arguments, "compare", arguments, Arguments(recipe=base))
    if named is None or a.file != named:
        raise BadInput("compare: say which schemes, with a recipe, one .yaml file")
    return a
