"""A comparison's work as jobs: what comes back, and what becomes of jobs that fail."""

import gc
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gleam.cli import main
from gleam.comparison.compare import _unmeasured, compare
from gleam.comparison.plan import CompareRecipe, Plan, make
from gleam.comparison.submission import Submission, options_of
from gleam.errors import BadInput, Stopped
from gleam.recipe import Recipe

pytest.importorskip("submitit", reason="submitit is not installed")
FIRST = make(Recipe(), CompareRecipe.model_validate({"schemes": {"greedy": {}}}))
SCHEMES: dict[str, Any] = {"greedy": {"learning_rates": [1e-3, 1e-4]}}


def lost(item: object, cause: str) -> str:
    return f"{item}: {cause}"


@pytest.mark.slow  # three processes, each with PyTorch
def test_results_come_back_and_a_job_that_fails_is_told_of(tmp_path: Path) -> None:
    submission = Submission("local", tmp_path, {"timeout_min": 5})
    found = sorted(map(str, submission.each(math.sqrt, [4, -1], lost)))
    assert found[1] == "2.0"
    assert found[0].startswith("-1: ValueError: ")
    assert not [*submission.each(math.sqrt, [], lost)]
    with pytest.raises(Stopped, match=r"measuring .* failed: nothing to do"):
        [*submission.each(partial(_unmeasured, cause="nothing to do"), [FIRST], lost)]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # files that submitit's stand-in leaves open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_jobs_make_the_comparison_that_is_made_here(
    planned: Callable[..., Plan], tmp_path: Path
) -> None:
    plan = planned(SCHEMES, seeds=1)
    here = compare(plan, tmp_path / "here")
    there = compare(plan, tmp_path / "there", submission=Submission("debug", tmp_path / "jobs"))
    for one, other in zip(here.results, there.results, strict=True):
        assert one.trials == other.trials
        assert [run.recipe for run in one.runs] == [run.recipe for run in other.runs]
    assert len(here.results[0].trials) == 2
    for name, own in here.scores.items():
        assert own.evaluation.scans == there.scores[name].evaluation.scans
    gc.collect()  # here, where warnings of it are let through


def test_what_cannot_be_submitted_is_said_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert options_of(["slurm_partition=gpu", "timeout_min=240"]) == {
        "slurm_partition": "gpu",
        "timeout_min": 240,
    }
    with pytest.raises(BadInput, match=r"--submit-options gpu: say NAME=VALUE"):
        options_of(["gpu"])
    with pytest.raises(BadInput, match=r"--submit local: .*walltime"):
        Submission("local", tmp_path, {"walltime": 3}).check()
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("seed: 0\n")
    options = ["compare", str(recipe), "--out", str(tmp_path / "out")]
    assert main([*options, "--submit-options", "timeout_min=3"]) == 2
    assert "are of the jobs that --submit sends" in capsys.readouterr().err
    assert main([*options, "--submit", "local", "--workers", "2"]) == 2
    assert "--submit trains elsewhere" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
