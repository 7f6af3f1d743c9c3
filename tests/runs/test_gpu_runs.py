"""Runs on a device: they learn, stop, go on, grow and are polished there, alone and together."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny import example_files, prepared, tiny_recipe, tiny_scan

from gleam import recipe as recipes
from gleam.cli import main
from gleam.data.example import write
from gleam.device import described
from gleam.formats import write_scan
from gleam.recipe import Recipe
from gleam.runs import checkpoint
from gleam.runs import folder as run_folder
from gleam.runs.learner import Learner
from gleam.runs.stages import grown, train_in_stages
from gleam.runs.train import train
from gleam.simulation import simulate_scan

pytestmark = pytest.mark.cuda


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_files(tmp_path_factory.mktemp("data"))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Of the last checkpoint, with the optimizers' states."""
    files = sorted(checkpoint.found(folder / "checkpoints")[-1].glob("*.safetensors"))
    return {
        f"{file.name}/{name}": tensor.clone()
        for file in files
        for name, tensor in load_file(file).items()
    }


def assert_alike(folder: Path, other: Path, device: torch.device) -> None:
    """To the bit on a CPU; on a GPU a replayed step may add in another order than an eager one."""
    tolerance = 0.0 if device.type == "cpu" else 1e-3
    got, expected = weights(folder), weights(other)
    assert got.keys() == expected.keys()
    for name, tensor in expected.items():
        error = (got[name] - tensor).norm()
        assert error <= tolerance * tensor.norm() + tolerance * 1e-3, name


@pytest.mark.parametrize("storage", ["store", "checkpoint", "offload"])
def test_a_run_goes_on_where_it_stopped(
    storage: str, examples: Path, tmp_path: Path, device: torch.device
) -> None:
    recipe = tiny_recipe(examples, steps=8, storage=storage)
    train(recipe, tmp_path / "whole", quiet=True)
    assert described(device) in (tmp_path / "whole" / "train.log").read_text()
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    for path in checkpoint.found(tmp_path / "cut" / "checkpoints")[-2:]:
        shutil.rmtree(path)
    train(recipe, tmp_path / "cut", resume=True, quiet=True)
    assert run_folder.read_summary(tmp_path / "cut")["steps"] == 8
    assert_alike(tmp_path / "cut", tmp_path / "whole", device)


@pytest.mark.parametrize("idle", ["device", "host"])
def test_modules_stop_and_the_run_ends_there_also_when_resumed(
    idle: str, examples: Path, tmp_path: Path, device: torch.device
) -> None:
    """No loss falls by 99 %, so all stop after two windows; losses are read some steps later."""
    early = {"warmup": 4, "patience": 5, "least_fall": 0.99, "checkpoint_every": 6}
    recipe = tiny_recipe(examples, steps=40, idle=idle, validate_every=99, **early)
    train(recipe, tmp_path / "whole", quiet=True)
    summary = run_folder.read_summary(tmp_path / "whole")
    assert (summary["stopped"], summary["steps"]) == ([14, 14], 14)
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    shutil.rmtree(checkpoint.found(tmp_path / "cut" / "checkpoints")[-1])
    train(recipe, tmp_path / "cut", resume=True, quiet=True)
    assert run_folder.read_summary(tmp_path / "cut")["stopped"] == [14, 14]
    assert_alike(tmp_path / "cut", tmp_path / "whole", device)


def test_a_run_on_a_device_learns_what_one_on_the_cpu_does(
    examples: Path, tmp_path: Path, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe(examples, steps=6)
    train(recipe, tmp_path / "there", quiet=True)
    monkeypatch.setenv("GLEAM_DEVICE", "cpu")
    train(recipe, tmp_path / "here", quiet=True)
    rows = [run_folder.read_metrics(tmp_path / place) for place in ("there", "here")]
    assert len(rows[0]) == len(rows[1])
    for one, other in zip(*rows, strict=True):
        assert (one.step, one.metric, one.index) == (other.step, other.metric, other.index)
        assert one.value == pytest.approx(other.value, rel=1e-2)  # Adam's first steps follow signs


def test_runs_grow_and_are_polished(examples: Path, tmp_path: Path, device: torch.device) -> None:
    train_in_stages(tiny_recipe(examples, steps=3, polish=2), tmp_path / "run", quiet=True)
    assert run_folder.finished(tmp_path / "run" / "polished", 2)
    deeper = grown(run_folder.load_recipe(tmp_path / "run"), tmp_path / "run", 2)
    train(deeper, tmp_path / "deeper", quiet=True)
    assert run_folder.read_summary(tmp_path / "deeper")["best_step"] is not None


@pytest.mark.parametrize("kind", ["volume in slabs", "cine"])
def test_volumes_and_series(kind: str, tmp_path: Path, device: torch.device) -> None:
    regulariser = {"dimensions": 3, "width": 4, "blocks": 1, "bf16": True}
    values = tiny_recipe(tmp_path / "data", steps=4).model_dump()
    if kind == "cine":
        scan = simulate_scan((24, 20), 3, 1, 50.0, 0, frames=4, name="beating")
        values["mask"] = {"kind": "kt-vista", "acceleration": 2}
        settings = {"calibration": 0}
    else:
        scan = tiny_scan((16, 16, 16), 1, name="volume")
        values["data"] |= {"slab": 4}
        settings = {"calibration": 6}
    write(prepared(scan, **settings), tmp_path / "data" / "scan.h5")
    values["network"] |= {"regulariser": regulariser}
    train(Recipe.model_validate(values), tmp_path / "run", quiet=True)
    losses = [
        row.value for row in run_folder.read_metrics(tmp_path / "run") if row.metric == "loss"
    ]
    assert len(losses) == 4 * 2
    write_scan(scan, tmp_path / "scan.cfl")
    said = ["reconstruct", tmp_path / "run", tmp_path / "scan.cfl", "-o", tmp_path / "image.npy"]
    assert main([str(word) for word in said]) == 0
    image = np.load(tmp_path / "image.npy")
    assert np.isfinite(image).all()
    assert image.any()


def gleam_train(recipe: Recipe, folder: Path, *more: object) -> int:
    recipes.save(recipe, folder.with_suffix(".yaml"))
    said = ["train", folder.with_suffix(".yaml"), "--out", folder, *more]
    return main([str(word) for word in said])


def test_two_processes_on_one_device_end_as_one(
    examples: Path, tmp_path: Path, device: torch.device
) -> None:
    """NCCL refuses two on a GPU, so they talk through gloo, also where there are more GPUs."""
    recipe = tiny_recipe(examples, steps=6)
    where = "--device", device
    assert gleam_train(recipe, tmp_path / "one", *where) == 0
    assert gleam_train(recipe, tmp_path / "two", "--devices", 2, *where) == 0
    assert_alike(tmp_path / "two", tmp_path / "one", device)


@pytest.mark.parametrize("replicas", [1, 2])
def test_two_devices_end_as_one(
    replicas: int, examples: Path, tmp_path: Path, device: torch.device
) -> None:
    """Through NCCL, on GPUs."""
    if device.type == "cuda" and torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs: NCCL refuses two processes on one")
    values = tiny_recipe(examples, steps=6).model_dump()
    values["data"] |= {"batch": 2}
    recipe = Recipe.model_validate(values)
    where = "--device", device.type
    assert gleam_train(recipe, tmp_path / "one", *where) == 0
    two = "--devices", 2, "--replicas", replicas
    assert gleam_train(recipe, tmp_path / "two", *two, *where) == 0
    if replicas == 1:
        assert_alike(tmp_path / "two", tmp_path / "one", device)
    losses = [
        [row.value for row in run_folder.read_metrics(tmp_path / name) if row.metric == "loss"]
        for name in ("one", "two")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-2)


def test_memory_that_runs_out_is_one_line(
    examples: Path,
    tmp_path: Path,
    device: torch.device,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    learn = Learner.learn

    def too_much(learner: Learner, state: object, batch: object, t: int, **more: bool) -> object:
        if t == 2:
            torch.empty(2**50, dtype=torch.uint8, device=device)
        return learn(learner, state, batch, t, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Learner, "learn", too_much)
    assert gleam_train(tiny_recipe(examples), tmp_path / "run") == 1
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if "out of memory" in line] == said[-1:]
    assert f"--resume {tmp_path / 'run'}" in said[-1]
    (kept,) = checkpoint.found(tmp_path / "run" / "checkpoints")
    assert checkpoint.step_of(kept) == 2


def test_a_run_says_where_it_was_and_what_it_took(
    examples: Path, tmp_path: Path, device: torch.device
) -> None:
    train(tiny_recipe(examples, steps=4), tmp_path / "run", quiet=True)
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    on_gpu = device.type == "cuda"
    assert environment["device"] == (torch.cuda.get_device_name(device) if on_gpu else "cpu")
    taken = run_folder.read_summary(tmp_path / "run")["peak_memory_bytes"]
    assert taken > (torch.cuda.max_memory_reserved(device) if on_gpu else 2**10)
