"""gleam train: a network from a recipe."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import tyro

from gleam import recipe as recipes
from gleam.cli.arguments import Device, parse
from gleam.device import choose
from gleam.errors import BadInput
from gleam.recipe import Recipe
from gleam.training import run
from gleam.training.group import size_of_group
from gleam.training.launch import launch
from gleam.training.rehearsal import not_there, rehearse
from gleam.training.spread import Spread
from gleam.training.stages import grown, polished, train_in_stages


@dataclass(frozen=True)
class Arguments:
    """Train the network that a recipe describes; any of its fields can be said here instead.

    Stop it with Ctrl-C and go on with --resume: the weights end up the same.

    Example: gleam train recipes/equispaced-4x.yaml --out runs/greedy --training.modules 4

    A trained run can be made deeper, in the memory of one module, or polished end-to-end:
      gleam train --start runs/greedy --grow 8 --out runs/deeper
      gleam train --start runs/greedy --polish 500 --out runs/polished

    Whether a recipe can be trained is known without its data: gleam train RECIPE --dry-run
    """

    file: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="RECIPE")] = None
    """Recipe, a .yaml file; what it does not say is as below."""
    out: Path | None = None
    """Folder of the new run."""
    start: Path | None = None
    """Begin with the weights, and the recipe, of this run (with --grow or --polish)."""
    grow: int | None = None
    """Append so many iterations to it and train only those."""
    polish: int | None = None
    """Steps end-to-end under checkpointing: after training, into OUT/polished; with --start alone,
    nothing else."""
    resume: Path | None = None
    """Go on with this run, from its last checkpoint (instead of a recipe and --out)."""
    dry_run: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Only try the recipe out, on a tiny simulated scan: no data are needed, nothing is written."""
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace a run that is there."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the run's summary, or what the dry run found, as JSON."""
    device: Device = "auto"
    devices: int | None = None
    """Train in so many processes on this machine, each on a GPU of its own if there are any; or
    let torchrun start the processes, here or on several machines."""
    replicas: int = 1
    """How many pipelines the processes form; they divide each batch among them. As many replicas
    as devices: data parallelism, for any scheme."""
    split: tuple[int, ...] | None = None
    """Modules of each process of a pipeline; by default so that each takes about as long."""
    timeout: float = 600.0
    """Seconds after which a process that does not answer counts as lost."""
    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = field(default_factory=Recipe)


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    named = next((Path(a) for a in arguments if a.endswith((".yaml", ".yml"))), None)
    base = recipes.load(named) if named else _begun(arguments) or Recipe()
    a = parse(Arguments, "train", arguments, Arguments(recipe=base))
    if a.file != named:
        raise BadInput(f"train: {a.file}: is not a recipe, which is one .yaml file")
    if a.resume is not None:
        said = (a.out, named, a.start, a.grow, a.polish)
        if any(one is not None for one in said) or a.dry_run or a.recipe != Recipe():
            raise BadInput("train: --resume goes on with the run's own recipe; give nothing else")
        recipe = run.load_recipe(a.resume)
    else:
        recipe = _chosen(a)
    choose(a.device)  # what is wrong with it is said once
    started, spread = size_of_group(), Spread(a.replicas, a.split, a.timeout, a.device)
    if a.dry_run:
        spread.check(recipe, a.devices or started)
        found = rehearse(recipe, a.device)
        print(json.dumps(asdict(found)) if a.json else f"{found}\n{not_there(found.missing)}")
        return
    folder = a.resume or a.out
    if folder is None:
        raise BadInput("train: say which folder the run goes to, with --out FOLDER")
    if a.devices not in (None, started):
        if a.devices < 1 or started > 1:
            raise BadInput(f"train: --devices {a.devices} cannot be: {started} processes started")
        spread.check(recipe, a.devices)
        code = launch(a.devices, ["-m", "gleam", "train", *arguments])
        if code:
            sys.exit(code)
        return
    resume = a.resume is not None or _again(recipe, folder)
    last = train_in_stages(recipe, folder, resume, spread=spread, force=a.force)
    if last is not None:
        _print(last, a.json)


def _again(recipe: Recipe, folder: Path) -> bool:
    """Whether torchrun starts a run again, because a process died: it goes on where it was.

    Another run that is in the folder is none of it: it was refused the first time, and is again.
    """
    again = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
    if not again or not run.is_there(folder):
        return False
    begun = run.load_recipe(folder)
    if recipe.training.minutes is not None and begun.training.minutes is None:
        recipe = recipe.lasting(begun.training.steps)
    return begun == recipe


def _print(folder: Path, as_json: bool) -> None:
    summary = run.read_summary(folder)
    if as_json:
        print(json.dumps(summary))
        return
    best = summary["best_validation_psnr_db"]
    print(
        f"{folder}: {summary['steps']} steps, {summary['seconds_per_step'] * 1e3:.0f} ms per step, "
        f"{summary['peak_memory_bytes'] / 2**20:.0f} MiB at most"
        + (f", validation PSNR {best:.2f} dB" if best is not None else "")
    )
    before = summary.get("psnr_before_growing_db")
    if before is not None and best < before:
        print(
            f"it had {before:.2f} dB before it grew, so the network is kept as it was; try more "
            "--training.steps, or another --training.learning-rate"
        )


def _begun(arguments: Sequence[str]) -> Recipe | None:
    """What --start with --grow or --polish makes of the earlier run's recipe, before it is changed.

    It has to be known before the options are parsed, as it is what they change.
    """
    said = {
        name: next((b for a, b in pairwise(spread) if a == f"--{name}"), None)
        for spread in [[part for argument in arguments for part in argument.split("=", 1)]]
        for name in ("start", "grow", "polish")
    }
    if said["start"] is None:
        return None
    start = Path(said["start"])
    recipe = run.recipe_of_network(start)
    counts = {name: int(n) for name, n in said.items() if n and n.isdecimal() and int(n) > 0}
    if "grow" in counts:
        return grown(recipe, start, counts["grow"])
    if "polish" in counts:
        return polished(recipe, start, counts["polish"])
    return None


def _chosen(a: Arguments) -> Recipe:
    """The recipe, with --polish where it follows training."""
    if a.start is None and a.grow is not None:
        raise BadInput("train: --grow appends to a trained run; name it with --start")
    if a.start is not None and a.file is not None:
        raise BadInput("train: --start takes the recipe of that run; give no other")
    if a.start is not None and a.grow is None and a.polish is None:
        raise BadInput("train: --start wants --grow or --polish, to say what is to become of it")
    for name, count in (("grow", a.grow), ("polish", a.polish)):
        if count is not None and count < 1:
            raise BadInput(f"train: --{name} is 1 or more, not {count}")
    if a.polish is not None and (a.start is None or a.grow is not None):
        return a.recipe.changed(training={"polish": a.polish})
    return a.recipe
