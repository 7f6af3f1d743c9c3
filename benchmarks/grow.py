"""Start shallow, copy deep: against a shallow network, and a deep one from the beginning.

    python -m benchmarks.grow --minutes 5 --seeds 3

All train equally long and in about the same memory: a shallow network end-to-end; a deep one
greedily, in modules as long as the shallow network; and the shallow one for half of the time, from
which one twice as deep is grown for a quarter, and again for the rest. The last once more with
modules that stop when their loss has flattened, from one pass through the data to the next
(`patience`): it leaves updates out. A budget is a number of steps, by the processor seconds of a
step of each, taken in turn; so what else the machine does disturbs no comparison. Scores are the
best complex PSNR on simulated scans that none of them learnt from, one thread.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
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

SHAPE, COILS, SHALLOW = (96, 96), 6, 4
SHARES = {SHALLOW: 1 / 2, 8: 1 / 4, 16: 1 / 4}  # of the time, by the number of iterations
SCANS, SLICES, VALIDATION, REPEATS = 40, 2, 8, 7
WAYS = ("shallow", "deep", "copied", "patient")


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


def recipe_of(folders: dict[str, Path], seed: int, iterations: int) -> Recipe:
    """A recipe of these data, in modules as long as the shallow network."""
    fields: dict[str, Any] = {"train": folders["train"], "validation": folders["validation"]}
    return Recipe().changed(
        seed=seed,
        data=fields | {"batch": 1},
        network={"family": "modl", "iterations": iterations},
        training={"modules": iterations // SHALLOW, "learning_rate": 3e-3, "loggers": ()},
    )


def seconds_per_step(folders: dict[str, Path]) -> dict[int, float]:
    """Processor seconds of a training step, by the number of iterations."""
    device = torch.device("cpu")
    works = {}
    for iterations in SHARES:
        recipe = recipe_of(folders, 0, iterations)
        batch = training_batches(find(folders["train"]), recipe, initial(recipe)).at(0)
        works[iterations] = Stepper(recipe, batch, device)
    times = interleaved(works, REPEATS, time.process_time)
    return {iterations: statistics.median(values) for iterations, values in times.items()}


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


def trained(
    way: str, folders: dict[str, Path], seed: int, steps: dict[int, int], out: Path
) -> float:
    """The score of one way, with so many steps for all of the time, by the number of iterations."""
    deepest = max(SHARES)
    if way == "shallow":
        return best(recipe_of(folders, seed, SHALLOW), out, steps[SHALLOW])
    if way == "deep":
        return best(recipe_of(folders, seed, deepest), out, steps[deepest])
    parts = {count: max(1, round(share * steps[count])) for count, share in SHARES.items()}
    first = parts.pop(SHALLOW)
    training: dict[str, Any] = {
        "stages": [{"iterations": count, "steps": own} for count, own in parts.items()]
    }
    if way == "patient":
        training["patience"] = SCANS * SLICES
    return best(recipe_of(folders, seed, SHALLOW), out, first, **training)


def compare(
    folders: dict[str, Path], minutes: float, seeds: range, ways: Sequence[str], out: Path
) -> Figures:
    """Train in all ways for each seed."""
    each = seconds_per_step(folders)
    steps = {count: max(2, round(60 * minutes / seconds)) for count, seconds in each.items()}
    said = ", ".join(f"{number} of {count} iterations" for count, number in steps.items())
    print(f"{minutes:g} minutes are in steps: {said}", flush=True)
    scores: dict[str, list[float]] = {way: [] for way in ways}
    for seed in seeds:
        for way in ways:
            folder = out / f"{minutes:g}" / str(seed) / way
            scores[way].append(trained(way, folders, seed, steps, folder))
            print(f"seed {seed}: {way} {scores[way][-1]:.2f} dB", flush=True)
    mean = {way: statistics.fmean(values) for way, values in scores.items()}
    command = f"grow --minutes {minutes:g} --first {seeds[0]} --seeds {len(seeds)}"
    at = f"{minutes:g}_minutes"
    figures = {
        f"grow.copy_minus_{way}_equal_time_{at}_db": figure(
            mean["copied"] - mean[way], "dB", command
        )
        for way in ("shallow", "deep")
        if way in ways
    }
    if "patient" in ways:
        gap = mean["patient"] - mean["copied"]
        figures[f"grow.patient_minus_copy_equal_time_{at}_db"] = figure(gap, "dB", command)
        runs = [out / f"{minutes:g}" / str(seed) / "patient" for seed in seeds]
        stages = [run / name for run in runs for name in (".", "stage-2", "stage-3")]
        made, allowed = (sum(numbers) for numbers in zip(*map(updates, stages), strict=True))
        saved = f"grow.share_of_updates_left_out_{at}"
        figures[saved] = figure(1 - made / allowed, "share", command)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, nargs="+", default=[5.0, 20.0, 60.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--out", type=Path, help="folder for data and runs; by default they go")
    a = parser.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as place:
        folder = a.out or Path(place)
        folders = data(folder / "data")
        seeds = range(a.first, a.first + a.seeds)
        for minutes in a.minutes:
            figures = compare(folders, minutes, seeds, a.ways, folder / "runs")
            show(figures)
            keep(figures)


if __name__ == "__main__":
    main()
