"""Runs whose modules stop by themselves, when their losses have flattened."""

import json
import shutil
import statistics
from pathlib import Path

import pytest
import torch
from ends import assert_same_end, last_step, numbers, tensors
from safetensors import safe_open
from tiny import example_files, tiny_recipe

from gleam.errors import BadInput
from gleam.recipe import Recipe
from gleam.report.training import summary_of
from gleam.runs import checkpoint
from gleam.runs.events import read_events
from gleam.runs.folder import finished, read_metrics, read_summary
from gleam.runs.stages import polished, train_in_stages
from gleam.runs.train import train

STEPS, WARMUP, PATIENCE, FALL = 16, 6, 2, 0.22
EVERY = {"checkpoint_every": 1, "keep": 99}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_files(tmp_path_factory.mktemp("data"))


def recipe_of(examples: Path, **training: object) -> Recipe:
    """So that modules stop one after the other."""
    fields = {"modules": 3, "steps": STEPS, "warmup": WARMUP, "checkpoint_every": 99}
    early = {"patience": PATIENCE, "least_fall": FALL}
    return tiny_recipe(examples, **fields | early | training)


@pytest.fixture(scope="module")
def whole(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a checkpoint of every step."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(recipe_of(examples, **EVERY), folder, quiet=True)
    return folder


def expected_stop(losses: list[float]) -> int | None:
    """By the losses that a run wrote down."""
    ends = range(WARMUP + PATIENCE, len(losses) + 1, PATIENCE)
    means = {end: statistics.fmean(losses[end - PATIENCE : end]) for end in ends}
    return next((e for e in ends[1:] if means[e] > (1 - FALL) * means[e - PATIENCE]), None)


def losses_of(folder: Path, module: int) -> list[float]:
    rows = read_metrics(folder)
    return [row.value for row in rows if (row.metric, row.index) == ("loss", module)]


def test_modules_stop_by_their_own_losses_and_the_run_with_the_last(whole: Path) -> None:
    stopped = read_summary(whole)["stopped"]
    for module, step in enumerate(stopped):
        losses = losses_of(whole, module)
        assert expected_stop(losses) == step == len(losses)
    assert WARMUP < min(stopped) < max(stopped) < STEPS
    assert last_step(whole) == read_summary(whole)["steps"] == max(stopped)
    assert finished(whole, STEPS)
    assert not list((whole / "checkpoints").glob(".*"))


def test_it_is_validated_at_its_end_and_says_what_ended_it(whole: Path) -> None:
    stopped = read_summary(whole)["stopped"]
    end = max(stopped)
    validated = {row.step for row in read_metrics(whole) if row.metric == "psnr"}
    assert validated == {*range(3, end, 3), end}
    events = read_events(whole)
    told = {e.values["module"]: e.step for e in events if e.kind == "plateau"}
    assert told == dict(enumerate(stopped))
    assert (events[-1].kind, events[-1].values["reason"]) == ("end", "finished")
    log = (whole / "train.log").read_text()
    for module, step in enumerate(stopped):
        assert f"step {step}: module {module} (counted from 0) learns no more" in log
    assert f"step {end}: no module learns any more: training ends" in log
    found = sorted((step, module) for event in events for step, module, _ in event.losses)
    rows = [row for row in read_metrics(whole) if row.metric == "loss"]
    assert found == sorted((row.step, row.index) for row in rows)
    pace = summary_of(whole, "run", recipe_of(Path("nowhere"))).pace
    assert f"stopped early: 0 after {stopped[0]} steps, 1 after {stopped[1]} steps" in pace


def test_earlier_modules_learn_as_if_none_had_stopped(
    whole: Path, examples: Path, tmp_path: Path
) -> None:
    train(recipe_of(examples, patience=None), tmp_path / "run", quiet=True)
    first = min(read_summary(whole)["stopped"])
    for module in range(3):
        ended = read_summary(whole)["stopped"][module]
        until = ended if module == 0 else first
        assert losses_of(tmp_path / "run", module)[:until] == losses_of(whole, module)[:until]
    assert len(losses_of(tmp_path / "run", 0)) == STEPS
    assert "stopped" not in read_summary(tmp_path / "run")


@pytest.mark.parametrize("step", [4, 7, 8, 10, 11, 12])
def test_a_resumed_run_ends_as_one_that_was_never_stopped(
    step: int, whole: Path, examples: Path, tmp_path: Path
) -> None:
    """Before any window, within one, at the end of one, and with modules that have stopped."""
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    for path in checkpoint.found(folder / "checkpoints"):
        if checkpoint.step_of(path) > step:
            shutil.rmtree(path)
    before = numbers(folder)
    train(recipe_of(examples, **EVERY), folder, resume=True, quiet=True)
    assert_same_end(folder, whole)
    assert numbers(folder) == before
    assert read_summary(folder)["stopped"] == read_summary(whole)["stopped"]


def test_a_module_that_has_stopped_has_no_optimizer_state(whole: Path) -> None:
    stopped = read_summary(whole)["stopped"]
    for path in checkpoint.found(whole / "checkpoints"):
        step, module = checkpoint.step_of(path), stopped.index(min(stopped))
        names = [n for n in held(path, module) if n.startswith("optimizer/")]
        assert bool(names) == (step < stopped[module])


def held(path: Path, module: int) -> set[str]:
    with safe_open(path / f"module-{module:03d}.safetensors", "pt") as file:
        return set(file.keys())


@pytest.mark.parametrize("storage", ["checkpoint", "offload"])
def test_a_stop_changes_nothing_else_of_a_storage(
    storage: str, whole: Path, examples: Path, tmp_path: Path
) -> None:
    train(recipe_of(examples, storage=storage), tmp_path / "run", quiet=True)
    got, expected = tensors(tmp_path / "run"), tensors(whole)
    assert all(torch.equal(got[name], expected[name]) for name in expected)


def test_idle_modules_stop_alike(whole: Path, examples: Path, tmp_path: Path) -> None:
    (tmp_path / "idle").mkdir()
    train(recipe_of(examples, idle=tmp_path / "idle"), tmp_path / "run", quiet=True)
    assert_same_end(tmp_path / "run", whole)


def test_without_validation_it_ends_at_the_last_stop(examples: Path, tmp_path: Path) -> None:
    recipe = recipe_of(examples).changed(data={"validation": None})
    train(recipe, tmp_path / "run", quiet=True)
    summary = read_summary(tmp_path / "run")
    assert summary["steps"] == max(summary["stopped"]) == last_step(tmp_path / "run") < STEPS


def test_the_next_stage_follows_when_one_has_flattened(examples: Path, tmp_path: Path) -> None:
    """And resumes in the stage in which it was."""
    stage = {"iterations": 4, "modules": 2}
    recipe = recipe_of(examples, stages=[stage])
    last = train_in_stages(recipe, tmp_path / "run", quiet=True)
    assert last == tmp_path / "run" / "stage-2"
    assert finished(last, STEPS)
    steps = json.loads((tmp_path / "run" / "summary.json").read_text())["steps"]
    assert steps < STEPS
    seen = (tmp_path / "run" / "train.log").read_text()
    assert train_in_stages(recipe, tmp_path / "run", resume=True, quiet=True) == last
    assert (tmp_path / "run" / "train.log").read_text() == seen


def test_polishing_goes_on_to_its_last_step(examples: Path, tmp_path: Path) -> None:
    assert polished(recipe_of(examples), tmp_path, 5).training.patience is None


def test_overlap_is_refused(examples: Path) -> None:
    with pytest.raises(
        BadInput, match=r"training\.patience: with training\.overlap 1 a module also"
    ):
        recipe_of(examples).changed(training={"overlap": 1})
