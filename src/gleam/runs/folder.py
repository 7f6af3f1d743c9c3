"""A run: the folder that a recipe trained.

| file | what |
| --- | --- |
| recipe.yaml | the recipe with every field said |
| model.safetensors | weights: the best on validation so far, or the last without validation |
| checkpoints/ | to resume from |
| metrics.csv | step, metric, index, value, seconds: loss per module, PSNR per iteration |
| events.jsonl | what happened, a line each, for programs: see `gleam.runs.events` |
| tensorboard/ | the same numbers, to look at |
| validation/ | pictures of validation: see `gleam.runs.album` |
| train.log | how far it was, and when |
| environment.json | versions, seed, git state, precision, processes and threads |
| trained_on.json | scans by sha256, their kinds, masks: see `gleam.data.trained_on` |
| summary.json | parameters, memory, time per step, how it ended |
"""

import csv
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gleam import recipe as recipes
from gleam.data.trained_on import TrainedOn
from gleam.errors import BadInput
from gleam.files import check_exists, check_new, gone, replacing, unwritable, write_json
from gleam.recipe import BY_ITSELF, END_TO_END, Recipe
from gleam.runs.environment import environment
from gleam.runs.shipped import RECIPE, advice, located

TRAINED_ON = "trained_on.json"
MODEL = "model.safetensors"
# The recipe goes first: without it there is no run.
_PARTS = (
    "recipe.yaml", MODEL, "checkpoints", "metrics.csv", "events.jsonl", "tensorboard",
    "environment.json", "summary.json", "train.log", "polished", TRAINED_ON,
    "wandb", "mlruns", "mlflow.db", "validation",
)  # fmt: skip
CPU = torch.device("cpu")
COLUMNS = ["step", "metric", "index", "value", "seconds"]


@dataclass(frozen=True)
class Row:
    """One number of metrics.csv: a module's `loss`, or an iteration's `psnr` on validation."""

    step: int
    metric: str
    index: int
    value: float
    seconds: float


def begin(
    folder: Path,
    recipe: Recipe,
    data: str,
    trained_on: TrainedOn,
    force: bool = False,
    device: torch.device = CPU,
) -> None:
    """Make the folder and say what will be trained in it, and with what.

    Args:
        folder: of the run.
        recipe: what will be trained.
        data: fingerprint of the examples, and of the weights it starts from.
        trained_on: what will have been learnt from.
        force: replace another run in the folder.
        device: what it will be trained on.

    Raises:
        BadInput: the folder holds another run, or cannot be written to.
    """
    if is_there(folder):
        check_new(folder, force, "holds a run already", "go on with it (--resume)")
        discard(folder)
    write_json(folder / "environment.json", environment(recipe, device) | {"data": data})
    write_trained_on(folder, trained_on)
    write_metrics(folder, [])
    recipes.save(recipe, folder / RECIPE)  # from here on, it is a run


def discard(folder: Path) -> None:
    """Remove a run, and nothing else that is in its folder."""
    for part in (*(folder / name for name in _PARTS), *folder.glob("stage-*")):
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)


def is_there(folder: Path) -> bool:
    """Whether the folder holds a run."""
    return (folder / RECIPE).is_file()


def check_there(folder: Path) -> None:
    """Make sure that a run's folder still is where it was: nobody wants half a run in a new one.

    Raises:
        Unwritable: it was deleted or moved.
    """
    if not is_there(folder):
        raise gone(f"{folder}: is gone, or no run any more")


def check_data(folder: Path, data: str) -> None:
    """Make sure that a run goes on with the examples it began with: steps count on them.

    Raises:
        BadInput: they are others, or the folder is not a run.
    """
    try:
        before = json.loads((folder / "environment.json").read_text())["data"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder}: has no whole environment.json; start a new run") from error
    if before != data:
        raise BadInput(
            f"{folder}: began with other examples, or other weights of training.start, than there "
            "are now; put them back, or start a new run"
        )


def write_trained_on(folder: Path, trained_on: TrainedOn) -> None:
    """Write trained_on.json."""
    with replacing(folder / TRAINED_ON) as temporary:
        temporary.write_text(trained_on.model_dump_json(indent=2))


def read_trained_on(folder: Path) -> TrainedOn:
    """Read a run's record of its training data, as far as it recorded them.

    Raises:
        BadInput: the folder is not a run, or the record is broken, or of a later version.
    """
    path = located(folder) / TRAINED_ON
    if not path.exists():
        return TrainedOn.unrecorded(load_recipe(folder).mask)
    return TrainedOn.parse(path.read_text(encoding="utf-8"), path)


def write_metrics(folder: Path, rows: Iterable[Row]) -> None:
    """Write metrics.csv anew."""
    with replacing(folder / "metrics.csv") as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(vars(row).values() for row in rows)


def append_metrics(folder: Path, rows: Iterable[Row]) -> None:
    """Add rows to metrics.csv."""
    path = folder / "metrics.csv"
    try:
        with path.open("a", newline="") as file:
            csv.writer(file).writerows(vars(row).values() for row in rows)
    except OSError as error:
        raise unwritable(path, error) from error


def read_metrics(folder: Path) -> list[Row]:
    """The rows of metrics.csv; a last line that was cut off by a crash is left out.

    A network that left its run, by `gleam export` or as one that ships, has none.

    Raises:
        BadInput: the file is broken.
    """
    path = located(folder) / "metrics.csv"
    if not path.exists():
        return []
    try:
        text = path.read_text()
        lines = text[: text.rindex("\n")].splitlines()
        return [
            Row(int(step), metric, int(index), float(value), float(seconds))
            for step, metric, index, value, seconds in csv.reader(lines[1:])
        ]
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: is broken ({error})") from error


def last_validation(folder: Path) -> int:
    """The last step that validation followed, by metrics.csv; −1 where there was none."""
    steps = (row.step for row in read_metrics(folder) if row.metric != "loss")
    return max(steps, default=-1)


def save_model(folder: Path, weights: Mapping[str, Tensor]) -> None:
    """Write model.safetensors: a network's weights by name."""
    with replacing(folder / MODEL) as temporary:
        save_file({name: weight.contiguous() for name, weight in weights.items()}, temporary)


def weights_of_iteration(folder: Path, number: int) -> dict[str, Tensor]:
    """The weights of one iteration of a run's network, by their names in it; no others are read.

    Raises:
        BadInput: the file is broken.
    """
    path, before = located(folder) / MODEL, f"iterations.{number}."
    try:
        with safe_open(path, "pt") as file:
            names = [name for name in file.keys() if name.startswith(before)]  # noqa: SIM118
            return {name.removeprefix(before): file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{path}: is broken or of another network than recipe.yaml") from error


def load_recipe(folder: Path) -> Recipe:
    """The recipe of a run.

    Raises:
        BadInput: the folder is not a run, or its recipe is broken.
    """
    place = located(folder)
    check_exists(place, advice())
    if not is_there(place):
        raise BadInput(f"{folder}: is not a run (it has no recipe.yaml); {advice()}")
    return recipes.load(place / RECIPE)


def recipe_of_network(folder: Path) -> Recipe:
    """The recipe of the network that a run ended with.

    Of a run that grew and was none the better for it, that is the network that it grew from.

    Raises:
        BadInput: the folder is not a run, or its network is not there.
    """
    recipe, path = load_recipe(folder), located(folder) / MODEL
    if not path.is_file():
        raise BadInput(f"{path}: is not there; has the run got to its first checkpoint?")
    try:
        with safe_open(path, "pt") as file:
            iterations = {name.split(".")[1] for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError, IndexError) as error:
        raise BadInput(f"{path}: is broken or of another network than recipe.yaml") from error
    frozen = recipe.training.frozen
    if not frozen or len(iterations) != frozen:
        return recipe
    return recipe.changed(network={"iterations": frozen}, training=BY_ITSELF | END_TO_END)


def finished(folder: Path, steps: int) -> bool:
    """Whether the folder holds a run that was trained for so many steps, or until every module
    had stopped, and validated since: a pipeline learns of a stop some steps later.
    """
    summary = read_summary(folder)
    stopped = summary.get("stopped", [None])
    if None not in stopped:
        steps = max(stopped)
    elif summary.get("steps") != steps:
        return False
    return load_recipe(folder).data.validation is None or last_validation(folder) >= steps


def best_validation(summary: Mapping[str, Any]) -> float | None:
    """The best that validation found, in dB, whatever it measures; None where there was none."""
    found = (value for name, value in summary.items() if name.startswith("best_validation_"))
    return next(found, None)


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Write summary.json."""
    write_json(folder / "summary.json", summary)


def read_summary(folder: Path) -> dict[str, Any]:
    """Read summary.json; empty when there is none (yet)."""
    try:
        summary: dict[str, Any] = json.loads((located(folder) / "summary.json").read_text())
    except (OSError, ValueError):
        return {}
    return summary
