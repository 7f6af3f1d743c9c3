"""Start shallow, copy deep: against a shallow network, and a deep one from the beginning.

    python -m benchmarks.grow --minutes 5 --seeds 3

All train equally long and in about the same memory: a shallow network end-to-end; a deep one
greedily, in modules as long as the shallow network; and the shallow one for half of the time, whose
iterations are then copied into the deep one. A budget is a number of steps, by the times of a step
of each, taken in turn in this process; so what else the machine does disturbs no comparison. The
last once more with modules that stop when their loss has flattened, from one pass through the data
to the next (`patience`): it leaves updates out. Scores are the best complex PSNR on
simulated scans that none of them learnt from, one thread.
"""

import argparse
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

import gleam
from benchmarks.measure import Figures, figure, keep, show
from gleam.comparison.cost import Stepper
from gleam.data.example import find
from gleam.recipe import Recipe
from gleam.runs.assembly import training_batches
from gleam.runs.initial import initial
from gleam.training.timing import interleaved

SHAPE, COILS, SHALLOW, DEEP = (96, 96), 6, 4, 16
SCANS, SLICES, VALIDATION, REPEATS = 40, 2, 8, 7


def data(folder: Path) -> dict[str, Path]:
    """Simulated training and validation scans, prepared; those of a folder that has them stay."""
    parts = {"train": (SCANS, 100), "validation": (VALIDATION, 900)}
    for name, (count, first) in parts.items():
        for seed in range(first, first + count):
            path = folder / name / f"{seed}.h5"
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                scan = gleam.simulate(SHAPE, coils=COILS, slices=SLICES, seed=seed, name=str(seed))
                gleam.prepare(scan).save(path)
    return {name: folder / name for name in parts}


def recipe_of(folders: dict[str, Path], seed: int, iterations: int, modules: int) -> Recipe:
    """A recipe of these data."""
    fields: dict[str, Any] = {"train": folders["train"], "validation": folders["validation"]}
    return Recipe().changed(
        seed=seed,
        data=fields | {"batch": 1},
        network={"family": "modl", "iterations": iterations},
        training={"modules": modules, "learning_rate": 3e-3, "loggers": ()},
    )


def seconds_per_step(recipes: dict[str, Recipe]) -> dict[str, float]:
    """Seconds of a training step of each, in turn."""
    device = torch.device("cpu")
    works = {}
    for name, recipe in recipes.items():
        train = recipe.data.train
        assert train is not None
        batch = training_batches(find(train), recipe, initial(recipe)).at(0)
        works[name] = Stepper(recipe, batch, device)
    times = interleaved(works, REPEATS)
    return {name: statistics.median(values) for name, values in times.items()}


def best(recipe: Recipe, folder: Path, steps: int, **training: Any) -> float:
    """Train for so many steps, validated ten times; the best PSNR."""
    changes = training | {"steps": steps, "validate_every": max(1, steps // 10)}
    run = gleam.train(recipe, folder, quiet=True, training=changes)
    return float(run.summary["best_validation_psnr_db"])


def updates(folder: Path) -> tuple[int, int]:
    """Updates of modules that a run made, and those that its recipe allows."""
    run = gleam.open_run(folder)
    steps = run.recipe.training.steps
    made = [steps if step is None else step for step in run.summary["stopped"]]
    return sum(made), steps * len(made)


def compare(folders: dict[str, Path], minutes: float, seeds: int, out: Path) -> Figures:
    """Train all four for each seed."""
    shallow = [recipe_of(folders, seed, SHALLOW, 1) for seed in range(seeds)]
    deep = [recipe_of(folders, seed, DEEP, DEEP // SHALLOW) for seed in range(seeds)]
    each = seconds_per_step({"shallow": shallow[0], "deep": deep[0]})
    steps = {name: max(2, round(60 * minutes / seconds)) for name, seconds in each.items()}
    print(f"{minutes:g} minutes are {steps['shallow']} steps shallow, {steps['deep']} deep")
    scores: dict[str, list[float]] = {"shallow": [], "deep": [], "copied": [], "patient": []}
    counts: list[tuple[int, int]] = []
    for seed in range(seeds):
        here = out / f"{minutes:g}" / str(seed)
        scores["shallow"].append(best(shallow[seed], here / "shallow", steps["shallow"]))
        scores["deep"].append(best(deep[seed], here / "deep", steps["deep"]))
        half = steps["deep"] // 2
        stage = {"iterations": DEEP, "modules": DEEP // SHALLOW, "steps": half}
        first = steps["shallow"] // 2
        scores["copied"].append(best(shallow[seed], here / "copied", first, stages=[stage]))
        early = {"stages": [stage], "patience": SCANS * SLICES}
        scores["patient"].append(best(shallow[seed], here / "patient", first, **early))
        counts += map(updates, (here / "patient", here / "patient" / "stage-2"))
        print(f"seed {seed}: " + ", ".join(f"{k} {v[-1]:.2f} dB" for k, v in scores.items()))
    command = f"grow --minutes {minutes:g} --seeds {seeds}"
    mean = {name: statistics.fmean(values) for name, values in scores.items()}
    gaps = {f"copy_minus_{name}": mean["copied"] - mean[name] for name in ("shallow", "deep")}
    at = f"equal_time_{minutes:g}_minutes_db"
    gaps["patient_minus_copy"] = mean["patient"] - mean["copied"]
    made, allowed = (sum(numbers) for numbers in zip(*counts, strict=True))
    saved = f"grow.share_of_updates_left_out_{minutes:g}_minutes"
    return {
        **{f"grow.{name}_{at}": figure(gap, "dB", command) for name, gap in gaps.items()},
        saved: figure(1 - made / allowed, "share", command),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, nargs="+", default=[5.0, 20.0, 60.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder for data and runs; by default they go")
    a = parser.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as place:
        folder = a.out or Path(place)
        folders = data(folder / "data")
        for minutes in a.minutes:
            figures = compare(folders, minutes, a.seeds, folder / "runs")
            show(figures)
            keep(figures)


if __name__ == "__main__":
    main()
