"""What the planner predicts against what the meter and the clock say, of random recipes on the CPU.

Run with: python -m benchmarks.planner [how many]
"""

import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.measure import Figures, figure, keep, show
from gleam.amounts import in_bytes
from gleam.data.batch import Batch
from gleam.errors import BadInput
from gleam.networks import Unrolled
from gleam.planning.footprint import footprint
from gleam.planning.machine import Machine
from gleam.planning.scans import ScanSize, tensors_of
from gleam.planning.speed import fill_randomly, speed
from gleam.planning.workspace import Workspaces
from gleam.recipe import Recipe
from gleam.runs.assembly import fresh_learner

RECIPES = 60
TIMED = 3  # steps
LARGE = ScanSize((320, 320, 256), 8)


def drawn(rng: random.Random, folder: Path) -> tuple[Recipe, ScanSize]:
    """A random recipe, and a tiny scan of its kind."""
    while True:
        kind = rng.choice(["2D", "2D", "cine", "3D"])
        family = rng.choice(["pgd", "modl", "reversible"])
        iterations = rng.choice([2, 3, 4, 6, 9])
        regulariser: dict[str, Any] = {
            "kind": rng.choice(["resnet", "resnet", "unet"]),
            "width": rng.choice([4, 8, 12, 16]),
            "blocks": rng.choice([1, 2]),
            "dimensions": 2 if kind == "2D" else rng.choice([2, 3, 3]),
            "bf16": rng.random() < 0.25,
        }
        if kind == "cine" and regulariser["dimensions"] == 3:
            regulariser["circular"] = rng.random() < 0.5
        network: dict[str, Any] = {"family": family, "iterations": iterations}
        network |= {"cg_steps": rng.choice([2, 3, 5]), "sets": rng.choice([1, 1, 2])}
        if family == "modl":
            network["cg_tolerance"] = rng.choice([None, None, 1e-5])
        modules = rng.choice([1, iterations, max(1, iterations // 2), max(1, iterations // 3)])
        storage = rng.choice(["store", "store", "checkpoint", "offload", "invert"])
        if storage == "invert" and family != "reversible":
            regulariser["coupling"] = True
        elif family != "reversible" and rng.random() < 0.3:
            regulariser["inputs"] = rng.choice([["gradient"], ["change"], ["gradient", "change"]])
        training: dict[str, Any] = {
            "modules": modules,
            "storage": storage,
            "overlap": rng.choice([0, 0, 1, 2]),
            "loss": rng.choice(["l1", "l2", "l1+ssim"]),
            "target": rng.choice(["image", "image", "kspace"]),
        }
        if storage == "offload" and rng.random() < 0.7:
            training["offload_to"] = str(folder)
        if rng.random() < 0.25:
            training["idle"] = str(folder)
        data: dict[str, Any] = {"batch": rng.choice([1, 1, 2])}
        masks = {"2D": ["equispaced"], "cine": ["kt-random"], "3D": ["equispaced", "poisson"]}
        if kind == "3D" and rng.random() < 0.4:
            data["slab"] = rng.choice([3, 5])
        scan = {
            "2D": ScanSize(rng.choice([(48, 40), (40, 36), (56, 48)]), rng.choice([3, 6])),
            "cine": ScanSize(rng.choice([(24, 20), (28, 24)]), 3, rng.choice([3, 4])),
            "3D": ScanSize(rng.choice([(12, 16, 12), (14, 12, 16)]), 3),
        }[kind]
        if storage != "invert" and rng.random() < 0.3:
            grid = (scan.frames, *scan.space)[-regulariser["dimensions"] :]
            network["patch"] = [max(4, length // rng.choice([1, 2])) for length in grid]
        fields = {"mask": {"kind": rng.choice(masks[kind])}, "data": data, "training": training}
        try:
            recipe = Recipe().changed(network=network | {"regulariser": regulariser}, **fields)
            scan.check(recipe)
        except BadInput:  # these do not go together
            continue
        return recipe, scan


def trained(recipe: Recipe, scan: ScanSize) -> tuple[int, float]:
    """Bytes and seconds of a step, metered and timed: those of the process, which is alone then."""
    learner = fresh_learner(recipe, torch.device("cpu"))
    learner.step(batch_of(recipe, scan, learner.network), 0)
    _, cost = learner.metered_step(batch_of(recipe, scan, learner.network), 1)
    times = []
    for step in range(TIMED):
        batch = batch_of(recipe, scan, learner.network)
        start = time.process_time()
        learner.step(batch, step)
        times.append(time.process_time() - start)
    return cost.memory, min(times)


def batch_of(recipe: Recipe, scan: ScanSize, network: Unrolled) -> Batch:
    """A batch of the scan's size, of numbers that mean nothing."""
    batch = scan.batch(recipe, scan.slab(recipe, network), scan.coils, 0)
    for tensor in tensors_of(batch):
        fill_randomly(tensor)
    return batch


def run(count: int = RECIPES) -> Figures:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng, device = random.Random(0), torch.device("cpu")
    with tempfile.TemporaryDirectory() as place:
        machine = Machine(device, False, Workspaces(device, Path(place)))
        memory, duration, planning = [], [], []
        for number in range(count):
            recipe, scan = drawn(rng, Path(place))
            start = time.perf_counter()
            predicted = footprint(recipe, scan, machine)
            planning.append(time.perf_counter() - start)
            expected = speed(recipe, scan, machine, time.process_time).seconds(predicted.work)
            bytes_taken, seconds = trained(recipe, scan)
            memory.append(predicted.metered / bytes_taken - 1)
            duration.append(expected / seconds - 1)
            n, t = recipe.network, recipe.training
            print(
                f"{number + 1:3}: {memory[-1]:+.2%} of {in_bytes(bytes_taken)}, "
                f"{duration[-1]:+.0%} of {1e3 * seconds:.0f} ms: {n.family} {n.regulariser.kind} "
                f"{n.regulariser.dimensions}D, {n.iterations} in {t.modules}, {t.storage}, "
                f"overlap {t.overlap}{', idle' if t.idle != 'device' else ''}"
                f"{f', patch {n.patch}' if n.patch else ''}; {scan}",
                flush=True,
            )
        start = time.perf_counter()
        deep = Recipe().changed(
            network={"iterations": 24, "regulariser": {"dimensions": 3}}, training={"modules": 12}
        )
        large = footprint(deep, LARGE, machine)
        took = time.perf_counter() - start
        print(f"24 iterations on {LARGE}: {large}, found in {took:.1f} s")
    near = sum(abs(error) <= 0.05 for error in memory) / count
    in_time = sum(abs(error) <= 0.25 for error in duration) / count
    found = {
        "planner.fraction_within_5_percent": (near, "of recipes"),
        "planner.lowest_error": (min(memory), "of the metered peak"),
        "planner.highest_error": (max(memory), "of the metered peak"),
        "planner.fraction_of_times_within_25_percent": (in_time, "of recipes"),
        "planner.seconds_median": (median(planning), "s"),
        "planner.seconds_large_volume": (took, "s"),
    }
    return {name: figure(value, unit, "planner") for name, (value, unit) in found.items()}


if __name__ == "__main__":
    figures = run(int(sys.argv[1]) if len(sys.argv) > 1 else RECIPES)
    show(figures)
    if len(sys.argv) == 1:
        keep(figures)
