"""What a training step costs, which steps are metered, and that batches go before others come."""

from collections.abc import Callable, Iterator
from pathlib import Path
from weakref import ref

import pytest
from stepping import RUNS, learner_of, recipe_of, toy_batch
from tiny import example_files, tiny_recipe

from gleam.data.batch import Batch
from gleam.data.feed import Feed
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


def one_at_a_time(batches: Iterator[Callable[[], Batch]], made: list[object]) -> Iterator[Batch]:
    """Made on a GPU, each of them when the last is gone from there."""
    before: ref[object] | None = None

    def one(make: Callable[[], Batch]) -> Batch:
        nonlocal before
        assert before is None or before() is None
        batch = make()
        before = ref(batch.measurement.adjoint)
        made.append(None)
        return batch

    for make in batches:
        yield one(make)


def test_what_was_learnt_from_is_gone_when_the_next_batch_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []

    def on_gpu(feed: Feed) -> Iterator[Batch]:
        reads = (lambda step=step: feed._raw(step, False).measure() for step in feed._steps)
        return one_at_a_time(reads, made)

    monkeypatch.setattr(Feed, "_on_cpu", on_gpu)
    train(tiny_recipe(example_files(tmp_path, 1), steps=4), tmp_path / "run", quiet=True)
    assert len(made) == 4


def test_what_was_validated_is_gone_when_the_next_batch_is_made() -> None:
    made: list[object] = []
    learner = learner_of(recipe_of(RUNS["MoDL"]), None)
    learner.validate(
        one_at_a_time((lambda seed=n: toy_batch("2D", "A", seed) for n in range(3)), made)
    )
    assert len(made) == 3
