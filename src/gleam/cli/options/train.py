"""Options of `gleam train`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import tyro

from gleam import recipe as recipes
from gleam.cli.arguments import Device, Flag, Trust, parse, recipe_named
from gleam.errors import BadInput
from gleam.recipe import Recipe


@dataclass(frozen=True)
class Arguments:
    """Train the network that a recipe describes; any of its fields can be said here instead.

    Stop it with Ctrl-C and go on with --resume: the weights end up the same.

    Example: gleam train recipes/equispaced-4x.yaml --out runs/greedy --training.modules 4

    A trained run can be made deeper, in the memory of one module, or polished end-to-end:
      gleam train --start runs/greedy --grow 8 --out runs/deeper
      gleam train --start runs/shallow --grow 14 --copy --out runs/deep
      gleam train --start runs/greedy --polish 500 --out runs/polished

    A dry run tells, without any data, whether a recipe can be trained:
      gleam train RECIPE --dry-run
    """

    file: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="RECIPE")] = None
    """Recipe, a .yaml file; fields that it does not say have the defaults below."""
    out: Path | None = None
    """Folder of the new run."""
    start: Path | None = None
    """Run to begin with: its weights and its recipe (with --grow or --polish)."""
    grow: int | None = None
    """Number of iterations to append to the run of --start; only these are trained."""
    copy: Flag = False
    """Begin the iterations of --grow as copies of the run's last one, and train all of them."""
    polish: int | None = None
    """Number of steps end-to-end that follow the training, with activation checkpointing, into
    OUT/polished; with --start alone, nothing else is trained."""
    resume: Path | None = None
    """Run to go on with, from its last checkpoint (instead of a recipe and --out)."""
    dry_run: Flag = False
    """Try the recipe out on a tiny simulated scan, and do nothing else: no data are needed, nothing
    is written."""
    force: Flag = False
    """Replace a run that is there."""
    json: Flag = False
    """Print the run's summary, or what the dry run found, as JSON."""
    device: Device = "auto"
    trust: Trust = ()
    memory: str | None = None
    """Memory of the device that may be taken, as 24GiB: storage and the like are chosen so that the
    training fits, and what would change the experiment is proposed. By default all there is."""
    hours: float | None = None
    """Time to train, instead of a number of steps; see training.minutes."""
    devices: int | None = None
    """Number of processes to train in on this machine, each on a GPU of its own if there are any;
    or let torchrun start the processes, here or on several machines."""
    replicas: int = 1
    """Number of replicas, each a pipeline of processes; they divide each batch among them. As many
    replicas as devices: data parallelism, for any scheme."""
    split: tuple[int, ...] | None = None
    """Number of modules of each process of a pipeline; by default so that each takes about as
    long."""
    timeout: float = 600.0
    """Seconds after which a process that does not answer counts as lost."""
    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = field(default_factory=Recipe)
    command_line: tyro.conf.Suppress[tuple[str, ...]] = ()
    """All arguments as they were given, for the processes that are started."""


def read(arguments: Sequence[str]) -> Arguments:
    """Read the command line; what a recipe file, or an earlier run's, says is the default.

    Raises:
        BadInput: see `parse` and `recipe.load`.
    """
    named = recipe_named(arguments)
    base = recipes.load(named) if named else _begun(arguments) or Recipe()
    a = parse(Arguments, "train", arguments, Arguments(recipe=base))
    if a.file != named:
        raise BadInput(f"train: {a.file}: is not a recipe, which is one .yaml file")
    return replace(a, command_line=tuple(arguments))


def _begun(arguments: Sequence[str]) -> Recipe | None:
    """The earlier run's recipe as --start with --grow or --polish changes it, before options do.

    It has to be known before the options are parsed, as it is what they change.
    """
    given = {
        name: next((b for a, b in pairwise(words) if a == f"--{name}"), None)
        for words in [[part for argument in arguments for part in argument.split("=", 1)]]
        for name in ("start", "grow", "polish")
    }
    if given["start"] is None:
        return None
    from gleam.runs import folder as run_folder
    from gleam.runs.stages import grown, polished

    start = Path(given["start"])
    recipe = run_folder.recipe_of_network(start)
    counts = {name: int(n) for name, n in given.items() if n and n.isdecimal() and int(n) > 0}
    if "grow" in counts:
        return grown(recipe, start, counts["grow"], "--copy" in arguments)
    if "polish" in counts:
        return polished(recipe, start, counts["polish"])
    return None
