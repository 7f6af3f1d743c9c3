"""Minutes become steps once; from then on a run is that of a recipe that says the steps."""

from pathlib import Path

import pytest
import yaml
from processes import in_processes
from safetensors.torch import load_file
from tiny import example_files, tiny_recipe
from torch import equal

from gleam import recipe as recipes
from gleam.data.example import ExampleFile
from gleam.errors import BadInput
from gleam.parallel.group import Group
from gleam.parallel.placement import ONE_PROCESS
from gleam.recipe import Recipe, TrainingRecipe
from gleam.runs import budget
from gleam.runs import folder as run_folder
from gleam.runs.setup import prepare
from gleam.runs.stages import train_in_stages
from gleam.runs.train import train

STEPS = 7


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_files(tmp_path_factory.mktemp("data"))


@pytest.fixture
def recipe(examples: Path) -> Recipe:
    return tiny_recipe(examples, minutes=0.1, steps=Recipe().training.steps, validate_every=700)


def seven(*_: object) -> int:
    return STEPS


def weights_are_equal(one: Path, other: Path) -> bool:
    first, second = (load_file(folder / "model.safetensors") for folder in (one, other))
    return first.keys() == second.keys() and all(equal(first[k], second[k]) for k in first)


def in_a_pipeline(recipe: Recipe, folder: Path) -> None:
    train(recipe, folder, quiet=True)


def test_a_run_of_minutes_is_that_of_as_many_steps(recipe: Recipe, tmp_path: Path) -> None:
    timed = recipe.changed(training={"minutes": 0.002})
    train(timed, tmp_path / "minutes", quiet=True)
    said = run_folder.load_recipe(tmp_path / "minutes")
    assert said.training.minutes is None
    assert said.training.steps == run_folder.read_summary(tmp_path / "minutes")["steps"]
    scaled = timed.lasting(said.training.steps)
    seldom = min(said.training.steps, max(scaled.training.validate_every, 3))  # six slices
    assert said == scaled.changed(training={"validate_every": seldom})
    train(said, tmp_path / "steps", quiet=True)
    assert weights_are_equal(tmp_path / "minutes", tmp_path / "steps")
    psnr = [
        [row for row in run_folder.read_metrics(tmp_path / name) if row.metric == "psnr"]
        for name in ("minutes", "steps")
    ]
    assert [(r.step, r.value) for r in psnr[0]] == [(r.step, r.value) for r in psnr[1]]


@pytest.mark.parametrize(("pieces", "every"), [(4, 2), (10, 5), (99, STEPS)])
def test_validation_takes_no_longer_than_the_steps_that_minutes_allow(
    pieces: int, every: int, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gleam.runs.setup.steps_within", seven)
    monkeypatch.setattr("gleam.runs.budget.steps_of_validation", lambda *_: pieces // 2)
    setup = prepare(recipe, tmp_path / "run", False, True, ONE_PROCESS, Group(), False)
    assert (setup.recipe.training.steps, setup.recipe.training.validate_every) == (STEPS, every)
    assert run_folder.load_recipe(tmp_path / "run") == setup.recipe


def test_steps_that_take_as_long_as_a_validation(examples: Path) -> None:
    some = [ExampleFile(path) for path in sorted(examples.glob("*.h5"))]
    slices, rows = sum(one.shape[0] for one in some), some[0].shape[some[0].header.decoded_axis]
    assert budget.steps_of_validation(some, None) == slices // 2
    assert budget.steps_of_validation(some, rows // 2) == slices
    assert budget.steps_of_validation(some, rows) == slices // 2


def test_all_processes_of_a_pipeline_make_the_same_steps(recipe: Recipe, tmp_path: Path) -> None:
    timed = recipe.changed(training={"minutes": 0.002})
    in_processes(2, in_a_pipeline, timed, tmp_path / "minutes")
    said = run_folder.load_recipe(tmp_path / "minutes")
    train(said, tmp_path / "steps", quiet=True)
    assert weights_are_equal(tmp_path / "minutes", tmp_path / "steps")


def test_validation_and_polishing_follow_the_steps(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gleam.runs.setup.steps_within", seven)
    last = train_in_stages(recipe.changed(training={"polish": 2}), tmp_path / "run", quiet=True)
    assert last is not None
    said, polished = run_folder.load_recipe(tmp_path / "run"), run_folder.load_recipe(last)
    assert (said.training.steps, said.training.validate_every) == (STEPS, 3)  # six slices
    assert (polished.training.steps, polished.training.validate_every) == (2, 1)


def test_a_run_that_was_stopped_before_it_was_timed_is_timed_when_it_goes_on(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("gleam.runs.setup.steps_within", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", quiet=True)
    monkeypatch.setattr("gleam.runs.setup.steps_within", seven)
    train(run_folder.load_recipe(tmp_path / "run"), tmp_path / "run", resume=True, quiet=True)
    assert run_folder.read_summary(tmp_path / "run")["steps"] == STEPS


def test_twice_the_time_makes_twice_the_steps(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that advances a second at every look: a step of one second, 22 of timing."""
    seen: list[int] = []

    def tick() -> float:
        seen.append(len(seen))
        return float(len(seen))

    monkeypatch.setattr(budget.time, "perf_counter", tick)
    short = tmp_path / "short"
    for minutes, folder in ((10, short), (20, tmp_path / "long")):
        timed = recipe.changed(training={"minutes": minutes})
        prepare(timed, folder, False, True, ONE_PROCESS, Group(), False)
    steps = [run_folder.load_recipe(tmp_path / name).training.steps for name in ("short", "long")]
    assert steps[1] - steps[0] == 600
    assert 500 < steps[0] < 600


def test_minutes_and_steps_are_refused_together() -> None:
    with pytest.raises(BadInput, match=r"^training: minutes: 1 say .* steps: 5; leave out one"):
        Recipe().changed(training={"minutes": 1, "steps": 5})
    assert Recipe().changed(training={"minutes": 1}).training == TrainingRecipe(minutes=1)


def test_a_recipe_with_minutes_is_read_as_it_was_written(tmp_path: Path) -> None:
    recipe = Recipe().changed(training={"minutes": 0.5})
    recipes.save(recipe, tmp_path / "recipe.yaml")
    assert yaml.safe_load((tmp_path / "recipe.yaml").read_text())["training"]["minutes"] == 0.5
    assert recipes.load(tmp_path / "recipe.yaml") == recipe
