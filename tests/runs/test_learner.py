"""What a training step costs, and which steps are metered."""

from pathlib import Path

import pytest
from stepping import RUNS, learner_of, recipe_of, toy_batch
from tiny import example_files, tiny_recipe

from gleam.runs.learner import Learner
from gleam.runs.train import train


def test_memory_is_that_of_a_step_and_of_all_that_lies_there() -> None:
    """Weights, and two moments and a step number of Adam for each that is learnt."""
    learner, batch = learner_of(recipe_of(RUNS["MoDL"]), None), toy_batch("2D", "A", 0)
    learner.step(batch, 0)
    losses, cost = learner.metered_step(batch, 1)
    assert losses.keys() == {0, 1}
    weights = sum(p.nbytes for p in learner.network.parameters())
    numbers = sum(
        state["step"].nbytes
        for module in learner.modules
        for state in module.optimizer.state.values()
    )
    assert cost.states == 3 * weights + numbers
    assert cost.memory == cost.step + cost.states
    assert cost.step > batch.measurement.adjoint.nbytes


def test_what_the_first_step_makes_of_optimizers_is_part_of_its_peak() -> None:
    """And not of what lies there besides, or it would count twice."""
    learner, batch = learner_of(recipe_of(RUNS["MoDL"]), None), toy_batch("2D", "A", 0)
    first, second = (learner.metered_step(batch, step)[1] for step in range(2))
    assert first.states == sum(p.nbytes for p in learner.network.parameters())
    assert first.memory <= second.memory


def test_frozen_iterations_count_with_their_weights() -> None:
    learner, batch = learner_of(recipe_of(RUNS["MoDL"]), None), toy_batch("2D", "A", 0)
    learner.step(batch, 0)
    before = learner.metered_step(batch, 1)[1].states
    learner.network.frozen = 1
    weights = sum(p.nbytes for p in learner.network.iterations[0].parameters())
    assert learner.metered_step(batch, 2)[1].states == before + weights


def test_the_first_two_steps_are_metered_also_of_a_resumed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of them makes the optimizers' states."""
    metered: list[int] = []
    metered_step = Learner.metered_step

    def noted(learner: Learner, batch, t):  # type: ignore[no-untyped-def]
        metered.append(t)
        return metered_step(learner, batch, t)

    monkeypatch.setattr(Learner, "metered_step", noted)
    recipe = tiny_recipe(example_files(tmp_path, 1), steps=6, validate_every=99, keep=9)
    train(recipe, tmp_path / "run", quiet=True)
    assert metered == [0, 1]
    last = tmp_path / "run" / "checkpoints" / "step-00000006"
    for file in last.iterdir():
        file.unlink()
    last.rmdir()
    metered.clear()
    train(recipe, tmp_path / "run", resume=True, quiet=True)
    assert metered == [4, 5]
