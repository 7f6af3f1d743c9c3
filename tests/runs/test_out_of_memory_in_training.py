"""A training that finds no room says in one line what would fit, and keeps what it had."""

from pathlib import Path
from typing import Any

import pytest
import torch
from parallel_work import run_out_of_memory
from processes import in_processes
from test_memory import GPU
from tiny import example_files, tiny_recipe

from gleam import recipe as recipes
from gleam.cli import main
from gleam.errors import OutOfMemory
from gleam.recipe import Recipe
from gleam.runs import checkpoint
from gleam.runs.events import read_events
from gleam.runs.learner import Learner
from gleam.runs.out_of_memory import smaller
from gleam.runs.stages import train_in_stages


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_files(tmp_path_factory.mktemp("data"))


def refuse_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    learn = Learner.learn

    def refuse(self: Learner, state: Any, batch: Any, t: int, *rest: Any, **more: Any) -> Any:
        if t == step:
            raise torch.OutOfMemoryError(GPU)
        return learn(self, state, batch, t, *rest, **more)

    monkeypatch.setattr(Learner, "learn", refuse)


def test_one_line_says_what_would_fit_and_the_checkpoint_stays(
    examples: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe, folder = tiny_recipe(examples), tmp_path / "run"
    recipes.save(recipe, tmp_path / "recipe.yaml")
    refuse_at(5, monkeypatch)
    assert main(["train", str(tmp_path / "recipe.yaml"), "--out", str(folder)]) == 1
    *_, last = capsys.readouterr().err.splitlines()
    assert last == (
        "gleam: out of memory: 20.00 GiB more were asked for of 79.11 GiB in all; less is taken "
        "with more training.modules (now 2 of 3) or training.storage: checkpoint or training.idle: "
        "host (on a CPU, a folder) or a smaller network.regulariser.width (now 4); where there is "
        f"more, go on with: gleam train --resume {folder}"
    )
    (*_, kept) = checkpoint.found(folder / "checkpoints")
    assert checkpoint.step_of(kept) == 4
    event = read_events(folder)[-1]
    assert (event.kind, event.step) == ("end", 5)
    assert event.values["reason"] == "out of memory"
    assert "\n" not in event.values["text"]
    monkeypatch.undo()
    train_in_stages(recipe, folder, resume=True, quiet=True)
    assert read_events(folder)[-1].values["reason"] == "finished"


def test_where_even_the_network_finds_no_room_there_is_nothing_to_go_on_with(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise torch.OutOfMemoryError(GPU)

    monkeypatch.setattr("gleam.runs.setup.initial", refuse)
    with pytest.raises(OutOfMemory, match="asked for") as error:
        train_in_stages(tiny_recipe(examples), tmp_path / "run", quiet=True)
    assert "--resume" not in str(error.value)


def test_the_other_processes_end_too(examples: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(examples, steps=40, validate_every=40, checkpoint_every=2)
    first, last = in_processes(2, run_out_of_memory, recipe, tmp_path / "run", 1)
    assert isinstance(last, OutOfMemory)
    assert first == 1  # silently: one of them has said what there is to say
    assert checkpoint.found(tmp_path / "run" / "checkpoints")


IDLE = "training.idle: host (on a CPU, a folder)"
MAPS = "training.maps: host (on a GPU)"


@pytest.mark.parametrize(
    ("fields", "ways"),
    [
        (
            {"training": {"modules": 1}},
            ["more training.modules (now 1 of 8)", "training.storage: checkpoint"],
        ),
        (
            {"training": {"modules": 8, "storage": "checkpoint"}, "data": {"batch": 4}},
            [IDLE, "a smaller data.batch (now 4)"],
        ),
        (
            {"network": {"regulariser": {"dimensions": 3}}, "training": {"modules": 8}},
            ["training.storage: checkpoint", IDLE, "data.slab, for volumes", MAPS],
        ),
        (
            {"training": {"modules": 8, "target": "kspace"}},
            ["training.storage: checkpoint", IDLE, "fewer training.holdout.splits (now 3)"],
        ),
        (
            {"training": {"modules": 8, "overlap": 2}, "data": {"slab": 12}},
            ["less training.overlap (now 2)", "training.storage: checkpoint", IDLE,
             "a smaller data.slab (now 12)"],
        ),
    ],
)  # fmt: skip
def test_what_takes_less_depends_on_what_is_taken(
    fields: dict[str, object], ways: list[str]
) -> None:
    recipe = Recipe.model_validate({"network": {"iterations": 8}, **fields})
    recipe = recipe.changed(network={"iterations": 8})
    width = f"a smaller network.regulariser.width (now {recipe.network.width})"
    assert smaller(recipe) == [*ways, width]
