"""gleam train: a network from a recipe."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from gleam import recipe as recipes
from gleam.cli.arguments import parse
from gleam.errors import BadInput
from gleam.recipe import Recipe
from gleam.training import run
from gleam.training.trainer import train


@dataclass(frozen=True)
class Arguments:
    """Train the network that a recipe describes; any of its fields can be said here instead.

    Stop it with Ctrl-C and go on with --resume: the weights end up the same.

    Example: gleam train recipes/equispaced-4x.yaml --out runs/greedy --training.modules 4
    """

    file: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="RECIPE")] = None
    """Recipe, a .yaml file; what it does not say is as below."""
    out: Path | None = None
    """Folder of the new run."""
    resume: Path | None = None
    """Go on with this run, from its last checkpoint (instead of a recipe and --out)."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the run's summary as JSON."""
    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = field(default_factory=Recipe)


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    named = next((Path(a) for a in arguments if a.endswith((".yaml", ".yml"))), None)
    recipe = recipes.load(named) if named else Recipe()
    a = parse(Arguments, "train", arguments, Arguments(recipe=recipe))
    if a.file != named:
        raise BadInput(f"train: {a.file}: is not a recipe, which is one .yaml file")
    if a.resume is not None:
        if a.out is not None or named or a.recipe != Recipe():
            raise BadInput("train: --resume goes on with the run's own recipe; give nothing else")
        folder = a.resume
        train(run.load_recipe(folder), folder, resume=True)
    elif a.out is None:
        raise BadInput("train: say which folder the run goes to, with --out FOLDER")
    else:
        folder = a.out
        train(a.recipe, folder)
    summary = run.read_summary(folder)
    if a.json:
        print(json.dumps(summary))
        return
    best = summary["best_validation_psnr_db"]
    print(
        f"{folder}: {summary['steps']} steps, {summary['seconds_per_step'] * 1e3:.0f} ms per step, "
        f"{summary['peak_memory_bytes'] / 2**20:.0f} MiB at most"
        + (f", validation PSNR {best:.2f} dB" if best is not None else "")
    )
