"""Runs in several processes end as runs in one do."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from ends import assert_same_end, drawn, numbers, tensors
from parallel_work import disagree, never_come, run, see_other_folders
from processes import in_processes
from safetensors.torch import load_file, save_file
from tiny import example_files, tiny_recipe, tiny_scan

from gleam.errors import BadInput, Diverged, Stopped
from gleam.formats import write_scan
from gleam.parallel.placement import Placement
from gleam.preparation.jobs import find_scans, prepare_one
from gleam.preparation.prepare import Settings
from gleam.recipe import Recipe
from gleam.runs import checkpoint
from gleam.runs.folder import finished, read_summary
from gleam.runs.stages import grown
from gleam.runs.train import train


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two shapes, one with an odd number of slices."""
    folder = tmp_path_factory.mktemp("data")
    write_scan(tiny_scan((26, 16), slices=3, name="other"), folder / "other.h5")
    (source,) = find_scans([folder / "other.h5"])
    examples = example_files(folder)
    assert [o.status for o in prepare_one(source, examples, Settings())] == ["prepared"]
    return examples


def recipe_of(examples: Path, batch: int = 1, **training: object) -> Recipe:
    """Five iterations in four modules, clipped, on a schedule."""
    values = tiny_recipe(examples).model_dump()
    values["network"] |= {"iterations": 5}
    values["network"] |= training.pop("network", {})
    values["training"] |= {"modules": 4, "clip": 0.01, "steps": 8, "warmup": 3} | training
    values["data"] |= {"batch": batch}
    return Recipe.model_validate(values)


def forget_last(folder: Path) -> None:
    """As if the run had been killed before its last checkpoint."""
    shutil.rmtree(checkpoint.found(folder / "checkpoints")[-1])


def test_pipeline_ends_as_one_process_wherever_it_is_resumed(
    examples: Path, tmp_path: Path
) -> None:
    """Validation after steps 3, 6 and 8; checkpoints then and after 2, 4, 6 and 8."""
    recipe = recipe_of(examples, batch=2)
    train(recipe, tmp_path / "one")
    folder = tmp_path / "run"
    assert in_processes(3, run, recipe, folder) == [False, False, True]
    assert_same_end(folder, tmp_path / "one")
    assert not list((folder / "checkpoints").glob(".*"))
    forget_last(folder)
    assert in_processes(2, run, recipe, folder, True, 1, (3, 1)) == [False, True]
    assert_same_end(folder, tmp_path / "one")
    forget_last(folder)
    train(recipe, folder, resume=True)
    assert_same_end(folder, tmp_path / "one")
    pictures, expected = drawn(folder), drawn(tmp_path / "one")
    assert pictures.keys() == expected.keys() == {3, 6, 8}
    assert all(np.array_equal(pictures[step], expected[step]) for step in expected)


def test_grown_network_that_carries_the_change_ends_as_in_one_process(
    examples: Path, tmp_path: Path
) -> None:
    """Frozen iterations are the first process's; their weights and PSNR are the whole run's.

    The rate spoils the network that grows, so that what is new makes it better, and is kept.
    """
    regulariser = {"inputs": ("change",), "width": 4}
    begun = recipe_of(examples, network={"regulariser": regulariser}, learning_rate=0.3)
    train(begun, tmp_path / "begun")
    recipe = grown(begun, tmp_path / "begun", 4).changed(training={"learning_rate": 1e-3})
    train(recipe, tmp_path / "one")
    assert in_processes(2, run, recipe, tmp_path / "run") == [False, True]
    assert_same_end(tmp_path / "run", tmp_path / "one")
    names = {name.split(".")[1] for name in load_file(tmp_path / "run" / "model.safetensors")}
    assert len(names) == 9


def test_each_process_holds_its_modules_and_no_more_activations(
    examples: Path, tmp_path: Path
) -> None:
    network = {"family": "pgd", "regulariser": {"width": 16, "blocks": 2}, "iterations": 4}
    recipe = recipe_of(examples, network=network)
    train(recipe, tmp_path / "one")
    in_processes(2, run, recipe, tmp_path / "run", False, 1, (2, 2))
    assert_same_end(tmp_path / "run", tmp_path / "one")
    whole, part = (read_summary(tmp_path / name) for name in ("one", "run"))
    states = 3 * 4 * whole["parameters"]  # weights and two moments of Adam
    assert part["peak_memory_bytes"] < whole["peak_memory_bytes"] - 0.4 * states


def test_idle_modules_end_as_those_that_stay(examples: Path, tmp_path: Path) -> None:
    recipe = recipe_of(examples, batch=2)
    (tmp_path / "files").mkdir()
    idle = recipe.changed(training={"idle": tmp_path / "files"})
    train(recipe, tmp_path / "one")
    assert in_processes(2, run, idle, tmp_path / "run") == [False, True]
    assert_same_end(tmp_path / "run", tmp_path / "one")
    forget_last(tmp_path / "run")
    assert in_processes(2, run, idle, tmp_path / "run", True, 2) == [True, False]
    assert read_summary(tmp_path / "run")["steps"] == 8


def test_two_replicas_of_two_learn_from_the_whole_batch(examples: Path, tmp_path: Path) -> None:
    recipe = recipe_of(examples, batch=2, network={"family": "reversible"})
    train(recipe, tmp_path / "one")
    folder = tmp_path / "run"
    assert in_processes(4, run, recipe, folder, False, 2) == [False, True, False, False]
    assert numbers(folder) == [
        (step, metric, index, pytest.approx(value, rel=1e-5))
        for step, metric, index, value in numbers(tmp_path / "one")
    ]
    got, expected = tensors(folder), tensors(tmp_path / "one")
    weights = [name for name in expected if "weight/" in name]
    assert all(torch.allclose(got[name], expected[name], atol=2e-4) for name in weights)
    forget_last(folder)
    train(recipe, folder, resume=True)
    assert checkpoint.step_of(checkpoint.found(folder / "checkpoints")[-1]) == 8


# Two modules stop after 6 steps, and two after 8.
EARLY = {"steps": 30, "warmup": 2, "learning_rate": 0.01, "patience": 2, "least_fall": 0.224}


def test_modules_of_a_pipeline_stop_as_in_one_process(examples: Path, tmp_path: Path) -> None:
    """And the run ends once the last process has said that none learns: some steps later."""
    recipe = recipe_of(examples, batch=2, **EARLY)
    train(recipe, tmp_path / "one")
    one = read_summary(tmp_path / "one")
    assert max(one["stopped"][:2]) < min(one["stopped"][2:])  # the first process before the other
    folder = tmp_path / "run"
    assert in_processes(2, run, recipe, folder, False, 1, (2, 2)) == [False, True]
    assert_same_stop(folder, tmp_path / "one")
    assert one["steps"] <= read_summary(folder)["steps"] < 30
    assert finished(folder, 30)
    step = read_summary(folder)["steps"]
    in_processes(2, run, recipe, folder, True)
    assert read_summary(folder)["steps"] == step  # nothing was left to learn
    shutil.copytree(tmp_path / "one", tmp_path / "resumed")
    forget_last(tmp_path / "resumed")
    in_processes(2, run, recipe, tmp_path / "resumed", True)
    assert_same_stop(tmp_path / "resumed", tmp_path / "one")


def assert_same_stop(folder: Path, undisturbed: Path) -> None:
    got, expected = tensors(folder), tensors(undisturbed)
    names = [name.partition(".safetensors")[2] for name in got]
    assert names == [name.partition(".safetensors")[2] for name in expected]
    for one, other in zip(got.values(), expected.values(), strict=True):
        assert torch.equal(one, other)
    losses = [row for row in numbers(folder) if row[1] == "loss"]
    assert losses == [row for row in numbers(undisturbed) if row[1] == "loss"]
    one, other = read_summary(folder), read_summary(undisturbed)
    for name in ("stopped", "best_validation_psnr_db"):
        assert one[name] == other[name]


def test_replicas_stop_modules_together(examples: Path, tmp_path: Path) -> None:
    """By the mean of their losses."""
    recipe = recipe_of(examples, batch=2, **EARLY)
    train(recipe, tmp_path / "one")
    folder = tmp_path / "run"
    assert in_processes(2, run, recipe, folder, False, 2) == [True, False]
    one, other = read_summary(tmp_path / "one"), read_summary(folder)
    assert (other["stopped"], other["steps"]) == (one["stopped"], one["steps"])
    assert finished(folder, 30)


@pytest.mark.slow
def test_replicas_serve_every_scheme(examples: Path, tmp_path: Path) -> None:
    recipe = recipe_of(examples, batch=2, overlap=3, loss_weights="last")
    train(recipe, tmp_path / "one")
    assert in_processes(2, run, recipe, tmp_path / "run", False, 2) == [True, False]
    assert numbers(tmp_path / "run") == [
        (step, metric, index, pytest.approx(value, rel=1e-5))
        for step, metric, index, value in numbers(tmp_path / "one")
    ]


def test_process_that_would_do_something_else_is_refused(examples: Path, tmp_path: Path) -> None:
    recipe = recipe_of(examples)
    other = recipe.model_copy(update={"seed": 1})
    one, two, three = in_processes(3, disagree, [recipe, recipe, other], tmp_path / "run")
    (error,) = (end for end in (one, two, three) if isinstance(end, BadInput))
    assert str(error).startswith("process 2 of 3 has another recipe than process 0")
    assert [one, two, three].count(2) == 2  # exit codes of the others, which said nothing
    assert not (tmp_path / "run").exists()


def test_folder_that_is_not_shared_is_refused(examples: Path, tmp_path: Path) -> None:
    error, code = in_processes(2, see_other_folders, recipe_of(examples), tmp_path)
    assert isinstance(error, BadInput)
    assert str(error).startswith(f"{tmp_path / '0'}: is not the same folder for all processes")
    assert code == 1


def test_process_that_never_comes_is_said_in_one_line(examples: Path, tmp_path: Path) -> None:
    *ends, _ = in_processes(3, never_come, recipe_of(examples), tmp_path / "run", 2.0)
    (error,) = (end for end in ends if isinstance(end, Stopped))
    assert re.match(r"process \d or 2 .* did not answer in time before the first step", str(error))
    assert ends.count(1) == 1  # the exit code of the other one, which said nothing


def test_others_that_cannot_be_found_are_said_in_one_line(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(BadInput, match="WORLD_SIZE says that there are 2 processes, and"):
        train(recipe_of(examples), tmp_path / "run")
    for name, value in {"RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Stopped, match="process 0 did not answer at 127"):
        train(recipe_of(examples), tmp_path / "run", placement=Placement(timeout=1.0))


@pytest.mark.parametrize("module", [pytest.param(0, marks=pytest.mark.slow), 3])
def test_what_is_not_finite_in_one_process_stops_all_with_the_last_good_checkpoint(
    module: int, examples: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(examples, steps=40, checkpoint_every=1, validate_every=99)
    folder = tmp_path / "run"
    short = recipe.training.model_copy(update={"steps": 5})
    train(recipe.model_copy(update={"training": short}), folder)
    spoilt = checkpoint.found(folder / "checkpoints")[-1] / f"module-{module:03d}.safetensors"
    weights = load_file(spoilt)
    save_file({name: weight * float("nan") for name, weight in weights.items()}, spoilt)
    before = numbers(folder)
    *_, error = ends = in_processes(3, run, recipe, folder, True)
    assert ends == [1, 1, error]
    assert isinstance(error, Diverged)
    said = (
        rf"module {module} \(counted from 0\) has a loss that is not finite at step 6; .*-00000005"
    )
    assert re.match(said, str(error))
    assert numbers(folder) == before
    assert checkpoint.step_of(checkpoint.found(folder / "checkpoints")[-1]) == 5
    assert not list((folder / "checkpoints").glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["pgd", "modl"])
def test_two_hundred_steps_on_two_and_four_processes_are_those_of_one(
    family: str, examples: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(
        examples, network={"family": family}, steps=200, validate_every=50, checkpoint_every=40
    )
    train(recipe, tmp_path / "one")
    for processes in (2, 4):
        folder = tmp_path / str(processes)
        assert in_processes(processes, run, recipe, folder)[-1] is True
        assert_same_end(folder, tmp_path / "one")


@pytest.mark.slow
def test_saved_on_four_resumed_on_two_then_on_one(examples: Path, tmp_path: Path) -> None:
    recipe = recipe_of(examples, steps=60, validate_every=15, checkpoint_every=20, keep=9)
    train(recipe, tmp_path / "never-stopped")
    folder = tmp_path / "run"
    in_processes(4, run, recipe, folder)
    for path in checkpoint.found(folder / "checkpoints"):
        if checkpoint.step_of(path) > 20:
            shutil.rmtree(path)
    in_processes(2, run, recipe, folder, True)
    for path in checkpoint.found(folder / "checkpoints"):
        if checkpoint.step_of(path) > 40:
            shutil.rmtree(path)
    train(recipe, folder, resume=True)
    assert_same_end(folder, tmp_path / "never-stopped")
