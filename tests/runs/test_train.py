import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from ends import assert_same_end, last_step, numbers, tensors
from safetensors.torch import load_file
from tiny import every_second_line, example_files, prepared, tiny_recipe, tiny_scan, undersampled

from gleam import recipe as recipes
from gleam.data.collate import Item, collate
from gleam.data.example import find, write
from gleam.data.loader import TrainingBatches
from gleam.data.masks import mask_seed
from gleam.errors import BadInput, Stopped
from gleam.metrics import psnr_complex
from gleam.networks import build
from gleam.recipe import Recipe
from gleam.runs import checkpoint
from gleam.runs import folder as run_folder
from gleam.runs.assembly import make_modules
from gleam.runs.learner import Learner
from gleam.runs.run import Run
from gleam.runs.train import train


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_files(tmp_path_factory.mktemp("data"))


def gleam_train(*arguments: object) -> "subprocess.Popen[str]":
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}  # as in this process: the same sums
    command = [sys.executable, "-m", "gleam", "train", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ)


def test_run_leaves_everything_that_it_promises(examples: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(examples)
    folder = tmp_path / "run"
    train(recipe, folder)
    assert {path.name for path in folder.iterdir()} == {
        "recipe.yaml", "model.safetensors", "checkpoints", "metrics.csv", "events.jsonl",
        "tensorboard", "environment.json", "trained_on.json", "summary.json", "train.log",
        "validation",
    }  # fmt: skip
    assert run_folder.load_recipe(folder) == recipe
    with (folder / "metrics.csv").open(newline="") as file:
        assert next(csv.reader(file)) == run_folder.COLUMNS
    losses = [(step, metric, i) for step, metric, i, _ in numbers(folder) if metric == "loss"]
    assert losses == [(step, "loss", module) for step in range(1, 7) for module in range(2)]
    psnr = [(step, i) for step, metric, i, _ in numbers(folder) if metric == "psnr"]
    assert psnr == [(step, iteration) for step in (3, 6) for iteration in range(3)]
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["steps"] == 6
    assert summary["modules"] == [2, 1]
    assert 0 < summary["seconds_per_step"] < summary["seconds"]
    network = Run(folder).network
    assert summary["parameters"] == sum(p.numel() for p in network.parameters())
    image = 24 * 20 * 8
    held = 3 * 4 * summary["parameters"]  # weights and Adam's two moments, float32
    assert held + 10 * image < summary["peak_memory_bytes"] < held + 200 * image
    assert any((folder / "tensorboard").iterdir())


def test_training_learns(examples: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(examples, steps=36, learning_rate=3e-3, validate_every=12)
    train(recipe, tmp_path / "run")
    rows = [row for row in run_folder.read_metrics(tmp_path / "run") if row.metric == "psnr"]
    for iteration in (1, 2):  # where the modules end
        psnr = [row.value for row in rows if row.index == iteration]
        assert psnr[-1] > psnr[0] + 0.05


def test_model_is_the_best_and_the_best_checkpoint_stays(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([20.0, 30.0, 25.0, 30.0, 28.0])
    monkeypatch.setattr(Learner, "validate", lambda *_: [0.0, next(scores)])
    folder = tmp_path / "run"
    train(tiny_recipe(examples, steps=10, validate_every=2, checkpoint_every=2), folder)
    kept = checkpoint.found(folder / "checkpoints")
    assert [checkpoint.step_of(path) for path in kept] == [4, 8, 10]
    summary = run_folder.read_summary(folder)
    assert (summary["best_step"], summary["best_validation_psnr_db"]) == (4, 30.0)
    model = load_file(folder / "model.safetensors")
    best = load_file(kept[0] / "module-001.safetensors")
    last = load_file(kept[2] / "module-001.safetensors")
    assert torch.equal(model["iterations.2.log_weight"], best["weight/0.log_weight"])
    assert not torch.equal(model["iterations.2.log_weight"], last["weight/0.log_weight"])


def test_without_validation_the_model_is_the_last(examples: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(examples)
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"validation": None})})
    train(recipe, tmp_path / "run")
    assert run_folder.read_summary(tmp_path / "run")["best_step"] is None
    model = load_file(tmp_path / "run" / "model.safetensors")
    last = checkpoint.found(tmp_path / "run" / "checkpoints")[-1]
    weights = load_file(last / "module-001.safetensors")
    assert torch.equal(model["iterations.2.log_weight"], weights["weight/0.log_weight"])


SCHEMES = {
    "overlap": ({}, {"modules": 3, "overlap": 1, "loss_weights": "ramped"}),
    "last loss alone": ({}, {"modules": 3, "overlap": 2, "loss_weights": "last"}),
    "offload": ({"family": "pgd"}, {"modules": 1, "storage": "offload", "offload_to": "."}),
    "reversible": ({"family": "reversible"}, {"modules": 2, "storage": "invert"}),
    "inverted modl": (
        {"cg_tolerance": 1e-6, "regulariser": {"coupling": True}},
        {"modules": 1, "storage": "invert"},
    ),
}


@pytest.mark.parametrize(("network", "training"), SCHEMES.values(), ids=SCHEMES)
def test_every_scheme_trains_and_resumes_to_the_same_end(
    network: dict[str, object],
    training: dict[str, object],
    examples: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    values = tiny_recipe(examples).model_dump()
    values["training"] |= training
    values["network"] |= network
    values["network"]["regulariser"] = {"width": 4, "blocks": 1, **network.get("regulariser", {})}
    recipe = Recipe.model_validate(values)
    train(recipe, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    shutil.rmtree(checkpoint.found(tmp_path / "cut/checkpoints")[-1])
    train(recipe, tmp_path / "cut", resume=True)
    assert_same_end(tmp_path / "cut", tmp_path / "whole")
    weights = recipe.loss_weights()
    losses = {
        row.index for row in run_folder.read_metrics(tmp_path / "whole") if row.metric == "loss"
    }
    assert losses == {module for module, weight in enumerate(weights) if weight}


def test_a_missing_folder_for_activations_is_refused_before_a_run_is_made(
    examples: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(examples, storage="offload", offload_to=tmp_path / "missing")
    with pytest.raises(BadInput, match=r"training.offload_to: .*missing: is no folder that exists"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_stopped_by_a_signal_and_resumed_it_ends_the_same(examples: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(examples, steps=60, validate_every=20, checkpoint_every=30)
    recipes.save(recipe, tmp_path / "recipe.yaml")
    folder = tmp_path / "run"
    with gleam_train(tmp_path / "recipe.yaml", "--out", folder) as process:
        wait_for(process, folder)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 143
        assert process.stderr is not None
        *_, message = process.stderr.read().splitlines()
    stopped_at = checkpoint.step_of(checkpoint.found(folder / "checkpoints")[-1])
    assert 0 < stopped_at < 60
    goes_on = f"go on with: gleam train --resume {folder}"
    assert message == f"gleam: stopped at step {stopped_at}; {goes_on}"
    train(run_folder.load_recipe(folder), folder, resume=True)
    train(recipe, tmp_path / "undisturbed")
    assert_same_end(folder, tmp_path / "undisturbed")


@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_at_random_points_and_resumed_it_ends_the_same(
    kills: int, examples: Path, tmp_path: Path
) -> None:
    """At any moment: while starting, in a step, while a checkpoint is written."""
    steps = 20 + 8 * kills
    recipe = tiny_recipe(examples, steps=steps, validate_every=4, checkpoint_every=2, modules=3)
    recipes.save(recipe, tmp_path / "recipe.yaml")
    folder = tmp_path / "run"
    chance = random.Random(6 + kills)  # the first of them comes after a checkpoint
    for _ in range(kills):
        begun = (folder / "recipe.yaml").exists()
        what = ["--resume", folder] if begun else [tmp_path / "recipe.yaml", "--out", folder]
        logs, step = logs_of(folder), last_step(folder) + chance.choice([0, 2, 4])
        with gleam_train(*what) as process:
            wait_for(process, folder, logs, step)
            time.sleep(chance.uniform(0, 0.05))
            process.kill()
        assert process.returncode == -signal.SIGKILL
    assert 0 < last_step(folder) < steps
    with gleam_train("--resume", folder) as process:
        assert process.wait() == 0
        assert process.stderr is not None
        said = process.stderr.read()
    ours = (
        r"(gleam: warning: data.validation: .*\n)?((train: at work).*\n)*"
        r"training on the CPU, 1 thread\n((step \d+|train: at work)[^\n]+\n)*"
    )
    assert re.fullmatch(ours, said)  # no library's noise
    train(recipe, tmp_path / "undisturbed")
    assert_same_end(folder, tmp_path / "undisturbed")


def logs_of(folder: Path) -> int:
    """One for each time it started to train."""
    return len(list((folder / "tensorboard").glob("*")))


def wait_for(process: "subprocess.Popen[str]", folder: Path, logs: int = 0, step: int = 0) -> None:
    """Until it trains, there being `logs` logs before, and its checkpoint is of `step` or later."""
    while logs_of(folder) == logs or last_step(folder) < step:
        ended = process.poll() is not None
        assert not ended, f"ended before it could be stopped: {process.communicate()[1]}"
        time.sleep(0.004)


def test_finished_run_resumes_to_nothing(examples: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(tiny_recipe(examples), folder)
    before = tensors(folder), numbers(folder)
    train(run_folder.load_recipe(folder), folder, resume=True)
    assert numbers(folder) == before[1]
    assert all(torch.equal(tensor, before[0][name]) for name, tensor in tensors(folder).items())


def test_resumed_run_forgets_what_came_after_its_checkpoint(examples: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(examples, keep=9)
    folder = tmp_path / "run"
    train(recipe, folder)
    expected = tensors(folder), numbers(folder)
    for path in checkpoint.found(folder / "checkpoints")[1:]:
        (path / "manifest.json").unlink()
    train(recipe, folder, resume=True)
    assert numbers(folder) == expected[1]
    assert all(torch.equal(tensor, expected[0][name]) for name, tensor in tensors(folder).items())


def finite(folder: Path, recipe: Recipe) -> int:
    """The step of the last checkpoint, which must load and hold finite numbers only."""
    modules = make_modules(build(recipe.network), recipe)
    last = checkpoint.found(folder / "checkpoints")[-1]
    progress = checkpoint.load(last, dict(enumerate(modules)), len(modules))
    assert all(tensor.isfinite().all() for tensor in tensors(folder).values())
    return progress.step


def test_diverging_run_stops_and_keeps_the_last_good_checkpoint(
    examples: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(
        examples, steps=60, learning_rate=1e15, warmup=50, clip=None, checkpoint_every=1
    )
    folder = tmp_path / "run"
    with pytest.raises(Stopped) as stopped:
        train(recipe, folder)
    message = str(stopped.value)
    assert "\n" not in message
    step = finite(folder, recipe)
    assert f"step {step + 1}; the last good checkpoint is {folder}" in message
    assert re.match(r"module [01] \(counted from 0\) has a (loss|weight) that is not", message)


def test_poisoned_example_stops_the_run_at_its_step(examples: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for path in examples.iterdir():
        (data / path.name).write_bytes(path.read_bytes())
    recipe = tiny_recipe(data, steps=12, checkpoint_every=1, validate_every=99)
    batches = TrainingBatches(find(data, 1), recipe.mask, 1, recipe.seed)
    (name,), (index,) = batches.at(4).scans, batches.at(4).slices  # an epoch has 6 steps
    with h5py.File(data / f"{name}.h5", "a") as file:
        file["kspace"][index, 0, 0, 0, 0] = float("nan")
    with pytest.raises(Stopped, match=r"module 0 .* has a loss .* at step 5;"):
        train(recipe, tmp_path / "run")
    assert finite(tmp_path / "run", recipe) == 4


def test_diverging_without_a_checkpoint_says_so(examples: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(examples, learning_rate=1e30, warmup=0, clip=None, checkpoint_every=99)
    with pytest.raises(Stopped, match="there was no checkpoint yet"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_damaged_last_checkpoint_is_named_and_the_one_before_still_works(
    examples: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(examples)
    folder = tmp_path / "run"
    train(recipe, folder)
    before, last = checkpoint.found(folder / "checkpoints")[-2:]
    expected = tensors(folder)
    (last / "module-000.safetensors").write_bytes(b"damaged")
    with pytest.raises(BadInput, match=f"^{last}: .*remove it to go on from the one before$"):
        train(recipe, folder, resume=True)
    for path in last.iterdir():
        path.unlink()
    last.rmdir()
    train(recipe, folder, resume=True)
    assert before.exists()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in tensors(folder).items())


def test_map_sets_that_do_not_fit_are_refused_before_a_folder_is_made(
    examples: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(examples)
    recipe = recipe.model_copy(update={"network": recipe.network.model_copy(update={"sets": 2})})
    with pytest.raises(BadInput, match=r"has 1 map sets, but network\.sets is 2"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_every_mask_is_tried_on_the_scans_before_a_folder_is_made(
    examples: Path, tmp_path: Path
) -> None:
    fits, too_fast = {"acceleration": 1.6}, {"kind": "random", "acceleration": 20}
    recipe = tiny_recipe(examples).changed(mask=[fits, too_fast])
    with pytest.raises(BadInput, match="acceleration 20 leaves"):
        train(recipe, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_undersampled_validation_scan_is_refused_before_a_folder_is_made(
    examples: Path, tmp_path: Path
) -> None:
    few = replace(undersampled(tiny_scan(), every_second_line()), name="few")
    write(prepared(few), tmp_path / "validation" / "few.h5")
    recipe = tiny_recipe(examples)
    data = recipe.data.model_copy(update={"validation": tmp_path / "validation"})
    with pytest.raises(BadInput, match="few: was undersampled"):
        train(recipe.model_copy(update={"data": data}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_empty_validation_slice_does_not_count(examples: Path, tmp_path: Path) -> None:
    scan = tiny_scan()
    kspace = np.stack([scan.kspace[0], 0 * scan.kspace[0]])
    write(prepared(replace(scan, kspace=kspace)), tmp_path / "validation" / "one.h5")
    recipe = tiny_recipe(examples)
    data = recipe.data.model_copy(update={"validation": tmp_path / "validation"})
    train(recipe.model_copy(update={"data": data}), tmp_path / "run")
    assert run_folder.read_summary(tmp_path / "run")["best_step"] is not None


def test_run_does_not_go_on_with_other_examples(examples: Path, tmp_path: Path) -> None:
    own = tmp_path / "examples"
    shutil.copytree(examples, own)
    recipe = tiny_recipe(own)
    train(recipe, tmp_path / "run")
    sorted(own.glob("*.h5"))[0].unlink()
    with pytest.raises(BadInput, match="began with other examples"):
        train(recipe, tmp_path / "run", resume=True)


def test_training_on_slabs_takes_their_memory_and_validates_on_the_volume(
    tmp_path: Path,
) -> None:
    scan = tiny_scan((40, 16, 16), 1, name="volume")
    write(prepared(scan, calibration=6), tmp_path / "data" / "volume.h5")
    whole = tiny_recipe(tmp_path / "data", steps=4, validate_every=2)
    regulariser = whole.network.regulariser.model_copy(update={"dimensions": 3})
    network = whole.network.model_copy(update={"regulariser": regulariser})
    whole = whole.model_copy(update={"network": network})
    slabs = whole.model_copy(update={"data": whole.data.model_copy(update={"slab": 4})})
    for name, recipe in {"whole": whole, "slabs": slabs}.items():
        train(recipe, tmp_path / name)
    peak = {
        n: run_folder.read_summary(tmp_path / n)["peak_memory_bytes"] for n in ("whole", "slabs")
    }
    reach = build(network).reach(-3)
    assert peak["slabs"] < 1.2 * (4 + 2 * reach) / 40 * peak["whole"]
    shutil.copytree(tmp_path / "slabs", tmp_path / "cut")
    shutil.rmtree(checkpoint.found(tmp_path / "cut/checkpoints")[-1])
    train(slabs, tmp_path / "cut", resume=True)
    assert_same_end(tmp_path / "cut", tmp_path / "slabs")

    trained = Run(tmp_path / "slabs").network
    item = Item(find(tmp_path / "data", 1)[0], 0, mask_seed("volume"))
    batch = collate([item], slabs.mask)  # all of it at once
    assert batch.target is not None
    expected = psnr_complex(trained(batch.measurement), batch.target).item()
    best = run_folder.read_summary(tmp_path / "slabs")["best_validation_psnr_db"]
    assert best == pytest.approx(expected, abs=1e-4)


def test_a_thread_trains_too(examples: Path, tmp_path: Path) -> None:
    """As where a search, or a notebook's extension, runs a trial; signals are the main thread's."""
    recipe = tiny_recipe(examples, steps=2)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(train, recipe, tmp_path / "thread", quiet=True).result()
    train(recipe, tmp_path / "here", quiet=True)
    assert_same_end(tmp_path / "thread", tmp_path / "here")
