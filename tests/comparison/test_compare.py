import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch

from gleam.comparison import cost, measure, score, training
from gleam.comparison.compare import Comparison, compare
from gleam.comparison.plan import Plan
from gleam.errors import BadInput, Diverged, Stopped
from gleam.evaluation.result import Evaluation
from gleam.evaluation.scores import FrameScore, Score
from gleam.recipe import Recipe
from gleam.runs import folder as run_folder

Planned = Callable[..., Plan]

SCHEMES = {
    "greedy": {},
    "end-to-end, as long": {"training": {"modules": 1}, "budget": "time", "seeds": 1},
    "shallow": {"training": {"modules": 1}, "fit": "iterations"},
}


@pytest.fixture(autouse=True, scope="module")
def twice_as_fast() -> Iterator[None]:
    """Rivals' steps take half the time of those of the scheme compared against."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "interleaved", lambda *_: {"own": [1.0], "against": [2.0]})
        yield


@pytest.fixture(scope="module")
def two_seeds(planned: Planned, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """The schemes with two seeds; to be looked at only."""
    return compare(planned(SCHEMES, seeds=2), tmp_path_factory.mktemp("two-seeds"))


@pytest.fixture
def copied(two_seeds: Comparison, tmp_path: Path) -> Path:
    """A copy of that comparison's folder."""
    return Path(shutil.copytree(root(two_seeds), tmp_path / "copied"))


def root(comparison: Comparison) -> Path:
    """The folder of a comparison."""
    parents = comparison.results[0].runs[0].folder.parents
    return next(folder for folder in parents if (folder / "costs.json").exists())


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were trained in."""
    folders = []

    def watched(recipe: Recipe, folder: Path, resume: bool, **how: Any) -> None:
        folders.append(folder)
        real(recipe, folder, resume, **how)

    real = training.train_in_stages
    monkeypatch.setattr(training, "train_in_stages", watched)
    return folders


def psnr(comparison: Comparison, method: str) -> list[float]:
    scans: list[Score] = comparison.scores["simulated"].evaluation.scans
    return [score.psnr_complex for score in scans if score.method == method]


def test_every_scheme_gets_its_budget(two_seeds: Comparison) -> None:
    greedy, rival, shallow = two_seeds.results
    assert [result.recipe.training.steps for result in two_seeds.results] == [6, 12, 6]
    assert rival.recipe.training.validate_every == 6  # as often in its time
    assert [len(result.runs) for result in two_seeds.results] == [2, 1, 2]
    assert [run_folder.load_recipe(job.folder).seed for job in greedy.runs] == [0, 1]
    assert greedy.entry is not None
    assert shallow.entry is not None
    assert shallow.entry.cost.memory <= greedy.entry.cost.memory
    assert 1 <= shallow.recipe.network.iterations < 3
    assert greedy.entry.seconds == 2.0
    assert shallow.entry.seconds == 1.0


def test_a_score_is_the_mean_over_seeds(
    planned: Planned, two_seeds: Comparison, copied: Path
) -> None:
    both = two_seeds
    one = compare(planned(SCHEMES, seeds=1), copied)
    assert one.scores["simulated"].seeds["greedy"][0] == both.scores["simulated"].seeds["greedy"][0]
    assert psnr(both, "greedy") != psnr(one, "greedy")
    assert psnr(both, "CG-SENSE") == psnr(one, "CG-SENSE")
    assert fmean(psnr(both, "greedy")) == pytest.approx(
        fmean(both.scores["simulated"].seeds["greedy"])
    )
    methods = both.scores["simulated"].evaluation.methods
    assert methods == ["zero-filled", "CG-SENSE", "wavelets", "untrained, 3 iterations", *SCHEMES]
    assert psnr(both, "untrained, 3 iterations") != psnr(both, "greedy")


def test_what_was_trained_is_not_trained_again(
    planned: Planned, tmp_path: Path, trained: list[Path]
) -> None:
    plan = planned({"greedy": {}}, learning_rates=[1e-3, 2e-3])
    first = compare(plan, tmp_path)
    assert len(trained) == 3  # two rates, one run
    trained.clear()
    again = compare(plan, tmp_path)
    assert again.results == first.results
    assert psnr(again, "greedy") == psnr(first, "greedy")
    assert not trained
    compare(planned(SCHEMES, learning_rates=[1e-3, 2e-3]), tmp_path)
    assert not [folder for folder in trained if "greedy" in folder.parts]
    assert len(trained) == 6


def entries(comparison: Comparison) -> list[Any]:
    return [result.entry for result in comparison.results]


def test_costs_are_measured_once(
    planned: Planned,
    two_seeds: Comparison,
    copied: Path,
    trained: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert set(json.loads((copied / "costs.json").read_text())) == set(SCHEMES)
    monkeypatch.setattr(measure, "interleaved", lambda *_: {"own": [9.0], "against": [1.0]})
    assert entries(compare(planned(SCHEMES), copied)) == entries(two_seeds)
    assert not trained


def test_fields_that_recipes_got_since_do_not_change_what_was_measured(
    planned: Planned,
    two_seeds: Comparison,
    copied: Path,
    trained: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    costs = json.loads((copied / "costs.json").read_text())
    for one in costs.values():
        for recipe in (one["asked"]["recipe"], one["asked"]["against"]):
            del recipe["training"]["overlap"]
            del recipe["network"]["regulariser"]["inputs"]
    (copied / "costs.json").write_text(json.dumps(costs))
    monkeypatch.setattr(measure, "interleaved", lambda *_: {"own": [9.0], "against": [1.0]})
    assert entries(compare(planned(SCHEMES), copied)) == entries(two_seeds)
    assert not trained


@pytest.mark.parametrize("text", ["{", "[1]", "7"])
def test_broken_costs_are_refused_in_one_line(text: str, planned: Planned, tmp_path: Path) -> None:
    (tmp_path / "costs.json").write_text(text)
    with pytest.raises(BadInput, match=r"costs\.json: is broken; remove it to measure again"):
        compare(planned({"greedy": {}}), tmp_path)


def test_a_run_that_was_begun_goes_on(
    planned: Planned, two_seeds: Comparison, copied: Path, trained: list[Path]
) -> None:
    undisturbed = two_seeds.results[0].runs[0].folder
    folder = copied / undisturbed.relative_to(root(two_seeds))
    for name in ("step-00000006", "step-00000004"):
        shutil.rmtree(folder / "checkpoints" / name, ignore_errors=True)
    (folder / "summary.json").unlink()
    compare(planned({"greedy": {}}), copied)
    assert trained == [folder]
    got, expected = (f / "model.safetensors" for f in (folder, undisturbed))
    assert got.read_bytes() == expected.read_bytes()


def test_the_best_rate_of_each_scheme_is_chosen_by_validation(
    planned: Planned, tmp_path: Path
) -> None:
    rates = {"a": {}, "b": {"learning_rates": [3e-3]}}
    plan = planned(rates, learning_rates=[1e-9, 1e-2])
    a, b = compare(plan, tmp_path).results
    assert a.trials[1e-2] > a.trials[1e-9]
    assert a.recipe.training.learning_rate == 1e-2
    assert not b.trials
    assert b.recipe.training.learning_rate == 3e-3


def test_a_scheme_may_be_polished(planned: Planned, tmp_path: Path, trained: list[Path]) -> None:
    plan = planned({"greedy": {}, "polished": {"training": {"polish": 2}}})
    comparison = compare(plan, tmp_path)
    _, polished = comparison.results
    assert polished.runs[0].last == polished.runs[0].folder / "polished"
    assert run_folder.load_recipe(polished.runs[0].last).module_sizes() == [3]
    assert psnr(comparison, "polished") != psnr(comparison, "greedy")
    trained.clear()
    (polished.runs[0].last / "summary.json").unlink()
    compare(plan, tmp_path)
    assert trained == [polished.runs[0].folder]
    with pytest.raises(BadInput, match=r"polished: training\.polish goes with budget"):
        planned({"greedy": {}, "polished": {"training": {"polish": 2}, "budget": "time"}})


def test_a_run_that_diverges_is_reported_and_stops_nothing(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(recipe: Recipe, folder: Path, resume: bool, **how: Any) -> None:
        if recipe.training.learning_rate == 1.0 or "bad" in folder.parts:
            raise Diverged(f"{folder.name} diverged")
        real(recipe, folder, resume, **how)

    real = training.train_in_stages
    monkeypatch.setattr(training, "train_in_stages", fail)
    plan = planned({"good": {}, "bad": {"learning_rates": [1e-3]}}, learning_rates=[1.0, 1e-3])
    good, bad = compare(plan, tmp_path).results
    assert good.trials[1.0] == -math.inf
    assert good.recipe.training.learning_rate == 1e-3
    assert not bad.runs
    assert bad.failed == ["seed-0 diverged"]


def test_what_does_not_fit_in_memory_is_said_not_trained(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hungry(self: cost.Stepper) -> cost.Cost:
        if len(self.learner.modules) == 1:
            raise torch.OutOfMemoryError("no memory left")
        return real(self)

    real = cost.Stepper.cost
    monkeypatch.setattr(cost.Stepper, "cost", hungry)
    results = compare(planned(SCHEMES), tmp_path).results
    assert [result.entry is None for result in results] == [False, True, True]
    with pytest.raises(BadInput, match="rival, which the others are measured by, does not fit"):
        compare(planned({"rival": {"training": {"modules": 1}}}), tmp_path / "other")


def test_workers_train_the_same(planned: Planned, tmp_path: Path) -> None:
    plan = planned({"greedy": {}, "end-to-end": {"training": {"modules": 1}}})
    alone = compare(plan, tmp_path / "alone")
    together = compare(plan, tmp_path / "together", workers=2)
    for one, other in zip(alone.results, together.results, strict=True):
        models = [result.runs[0].folder / "model.safetensors" for result in (one, other)]
        assert models[0].read_bytes() == models[1].read_bytes()


def test_a_worker_that_is_killed_or_stopped_stops_the_comparison(
    tmp_path: Path, planned: Planned
) -> None:
    job = training.TrainingJob(planned({"greedy": {}}).base, tmp_path / "run")
    assert isinstance(training._lost(job, "SIGKILL").error, Stopped)

    def stop(*_: Any, **__: Any) -> None:
        raise Stopped("by a signal")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "train_in_stages", stop)
        with pytest.raises(Stopped, match="by a signal"):
            training.train_all([job], workers=1)


def test_a_folder_of_other_runs_is_refused(planned: Planned, copied: Path) -> None:
    with pytest.raises(BadInput, match="seed-0: holds a run of another recipe"):
        compare(planned({"greedy": {"training": {"loss": "l2"}}}), copied)
    compare(planned({"greedy": {"training": {"loss": "l2"}}}), copied, force=True)


def test_something_must_be_scored_on(planned: Planned, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="say what to score on"):
        compare(planned({"greedy": {}}, test={}), tmp_path)
    assert not os.listdir(tmp_path)


def test_rates_need_validation(planned: Planned, tmp_path: Path) -> None:
    plan = planned({"greedy": {}}, learning_rates=[1e-3, 2e-3])
    data = plan.base.data.model_copy(update={"validation": None})
    recipes = {"greedy": plan.base.model_copy(update={"data": data})}
    with pytest.raises(BadInput, match=r"set data\.validation"):
        compare(plan.model_copy(update={"recipes": recipes}), tmp_path)


def test_frames_of_a_series_are_averaged_over_seeds_too() -> None:
    frames = [FrameScore("a", "beating", 0, 3, 10.0), FrameScore("b", "beating", 0, 3, 20.0)]
    whole = Evaluation(
        ["a", "b"], [], [], frames, {"a": [1.0], "b": [3.0]}, {"a": 1.0, "b": 2.0}, []
    )
    averaged = score._averaged(whole, {"both": ["a", "b"]})
    assert averaged.frames == [FrameScore("both", "beating", 0, 3, 15.0)]
