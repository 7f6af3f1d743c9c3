"""Who asks a run to stop waits for a step, not for a validation; and the run goes on from there."""

import signal
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from ends import assert_same_end
from tiny import example_files, tiny_recipe

from gleam.data.batch import Batch
from gleam.errors import Signalled
from gleam.runs import checkpoint
from gleam.runs import folder as run_folder
from gleam.runs.events import read_events
from gleam.runs.setup import Setup
from gleam.runs.train import train

BATCHES = 6  # of a validation


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_files(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def undisturbed(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(tiny_recipe(examples, checkpoint_every=4), folder)
    return folder


def stop_in_validation(monkeypatch: pytest.MonkeyPatch, number: int) -> Callable[[], int]:
    """Have a stop be asked for as the second batch of that validation is made.

    Returns:
        Says how many batches of it were made.
    """
    validations, made, asked = 0, 0, 0
    whole = Setup.validation_batches

    def batches(self: Setup) -> Iterator[Batch]:
        nonlocal validations, made, asked
        validations += 1
        for one in whole(self):
            if validations == number:
                made += 1
                asked = signal.SIGTERM if made == 2 else asked
            yield one

    monkeypatch.setattr(Setup, "validation_batches", batches)
    monkeypatch.setattr("gleam.runs.train.stop_signals", lambda: nullcontext(lambda: asked))
    return lambda: made


@pytest.mark.parametrize(("number", "step"), [(1, 3), (2, 6)])
def test_a_validation_is_broken_off_and_made_up_for(
    number: int,
    step: int,
    examples: Path,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between two checkpoints that were due, and after the last step."""
    recipe, folder = tiny_recipe(examples, checkpoint_every=4), tmp_path / "run"
    with monkeypatch.context() as patched:
        made = stop_in_validation(patched, number)
        with pytest.raises(Signalled, match=f"^stopped at step {step}; go on with: ") as stopped:
            train(recipe, folder)
    assert stopped.value.code == 143
    assert made() == 2 < BATCHES
    assert checkpoint.step_of(checkpoint.found(folder / "checkpoints")[-1]) == step
    assert run_folder.last_validation(folder) < step
    assert not run_folder.finished(folder, 6)
    train(recipe, folder, resume=True)
    assert run_folder.finished(folder, 6)
    assert_same_end(folder, undisturbed)
    told = [e.losses for e in read_events(folder) if e.kind == "steps"]
    assert sorted({at for losses in told for at, _, _ in losses}) == [*range(1, 7)]


def test_validation_of_the_start_is_broken_off_too(
    examples: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    recipe = tiny_recipe(examples, start=undisturbed, steps=2)
    with monkeypatch.context() as patched:
        made = stop_in_validation(patched, 1)
        with pytest.raises(Signalled, match=r"^stopped at step 0; "):
            train(recipe, folder)
    assert made() == 2
    train(recipe, folder, resume=True)
    before = run_folder.read_summary(folder)["validation_before_db"]
    assert before == run_folder.read_summary(undisturbed)["best_validation_psnr_db"]


def test_what_was_validated_is_not_validated_again(
    undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Setup, "validation_batches", None)
    train(run_folder.load_recipe(undisturbed), undisturbed, resume=True)
