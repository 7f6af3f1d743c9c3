"""gleam train: a network from a recipe."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from gleam import trust
from gleam.amounts import in_bytes
from gleam.cli.options.train import Arguments
from gleam.device import choose
from gleam.errors import BadInput
from gleam.parallel.launch import launch
from gleam.parallel.meeting import world_size
from gleam.parallel.placement import Placement
from gleam.planning.fit import fit, is_small
from gleam.planning.machine import machine_of
from gleam.planning.said import hours_of, memory_of
from gleam.planning.scans import scan_of
from gleam.recipe import Recipe
from gleam.runs import folder as run_folder
from gleam.runs.dry_run import not_there, rehearse
from gleam.runs.pace import in_words
from gleam.runs.record import METRICS
from gleam.runs.stages import train_in_stages
from gleam.terminal import say


def main(a: Arguments) -> None:
    """Run the verb."""
    if a.resume is not None:
        others = (a.out, a.file, a.start, a.grow, a.polish, a.copy or None, a.memory, a.hours)
        if any(one is not None for one in others) or a.dry_run or a.recipe != Recipe():
            raise BadInput("train: --resume goes on with the run's own recipe; give nothing else")
        recipe = run_folder.load_recipe(a.resume)
    else:
        recipe = _chosen(a)
        if (time := hours_of(a.hours, "train")) is not None:
            recipe = recipe.changed(training={"minutes": 60 * time})
    trust.check(recipe.network.build)
    choose(a.device)  # what is wrong with it is said once
    started, placement = world_size(), Placement(a.replicas, a.split, a.timeout, a.device)
    if a.dry_run:
        placement.check(recipe, a.devices or started)
        found = rehearse(recipe, a.device)
        print(json.dumps(asdict(found)) if a.json else f"{found}\n{not_there(found.missing)}")
        return
    folder = a.resume or a.out
    if folder is None:
        raise BadInput("train: say which folder the run goes to, with --out FOLDER")
    if a.resume is None:
        recipe = _made_to_fit(a, recipe, started)
    if a.devices not in (None, started):
        if a.devices < 1 or started > 1:
            raise BadInput(f"train: --devices {a.devices} cannot be: {started} processes started")
        placement.check(recipe, a.devices)
        code = launch(a.devices, ["-m", "gleam", "train", *a.command_line])
        if code:
            sys.exit(code)
        return
    resume = a.resume is not None or _again(recipe, folder)
    last = train_in_stages(recipe, folder, resume, placement=placement, force=a.force)
    if last is not None:
        print_end(last, a.json)


def _made_to_fit(a: Arguments, recipe: Recipe, started: int) -> Recipe:
    """The recipe, stored so that it fits; what is not there yet is not looked at.

    Raises:
        BadInput: it does not fit.
    """
    machine = machine_of(a.device)
    memory = memory_of(machine, a.memory, "train")
    if not recipe.data.train.exists():  # said by who reads them
        return recipe
    scan = scan_of(recipe)
    if is_small(recipe, scan, memory) and a.memory is None:
        return recipe
    devices = (a.devices or started) // a.replicas
    share = recipe.changed(data={"batch": max(1, recipe.data.batch // a.replicas)})
    made, changes = fit(share, scan, machine, memory, max(1, devices))
    if changes:
        say(f"so that it fits into {in_bytes(memory)}: {', '.join(changes)}")
    return made.changed(data={"batch": recipe.data.batch})


def _again(recipe: Recipe, folder: Path) -> bool:
    """Whether torchrun starts a run again, because a process died: it goes on where it was.

    Another run that is in the folder is none of it: it was refused the first time, and is again.
    """
    again = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
    if not again or not run_folder.is_there(folder):
        return False
    begun = run_folder.load_recipe(folder)
    if recipe.training.minutes is not None and begun.training.minutes is None:
        recipe = recipe.lasting(begun.training.steps)
    return begun == recipe


def print_end(folder: Path, as_json: bool) -> None:
    """Print the outcome of a run."""
    summary = run_folder.read_summary(folder)
    if as_json:
        print(json.dumps(summary))
        return
    metric, label = METRICS[run_folder.load_recipe(folder).training.target]
    best = summary[f"best_validation_{metric}_db"]
    good = "" if best is None else f", validation {label} {best:.2f} dB"
    print(f"{folder}: {summary['steps']} steps{good}")
    print(in_words(summary))
    before = summary.get("validation_before_db")
    if before is not None and best is not None and best < before:
        print(
            f"the network that it started from had {before:.2f} dB, so that one is kept; try more "
            "steps, or another training.learning_rate"
        )


def _chosen(a: Arguments) -> Recipe:
    """The recipe, with --polish where it follows training."""
    if a.start is None and a.grow is not None:
        raise BadInput("train: --grow appends to a trained run; name it with --start")
    if a.copy and a.grow is None:
        raise BadInput("train: --copy is of the iterations that --grow appends; say how many")
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
