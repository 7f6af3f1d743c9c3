from pathlib import Path

import pytest
import torch
from tiny import tiny_recipe

from gleam.comparison.cost import Stepper
from gleam.data.example import find
from gleam.data.loader import TrainingBatches
from gleam.networks import Unrolled
from gleam.runs import folder as run_folder
from gleam.runs.stages import grown
from gleam.runs.train import train

CPU = torch.device("cpu")


@pytest.mark.parametrize("first_image", ["zero-filled", "cg-sense", "wavelet"])
def test_memory_is_that_which_training_reports(
    first_image: str, examples: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(examples, steps=2)
    network = recipe.network.model_copy(update={"first_image": first_image})
    recipe = recipe.model_copy(update={"network": network})
    train(recipe, tmp_path / "run", quiet=True)
    batch = TrainingBatches(find(examples, 1), recipe.mask, 1, recipe.seed).at(0)
    cost = Stepper(recipe, batch, CPU).cost()
    assert cost.memory == run_folder.read_summary(tmp_path / "run")["peak_memory_bytes"]
    assert 0 < cost.step < cost.memory


def test_what_optimizers_remember_counts_once(examples: Path, tmp_path: Path) -> None:
    """The step that makes it is metered, too."""
    wide = {"regulariser": {"width": 48}}
    recipe = tiny_recipe(examples, modules=3, steps=3).changed(network=wide)
    train(recipe, tmp_path / "run", quiet=True)
    batch = TrainingBatches(find(examples, 1), recipe.mask, 1, recipe.seed).at(0)
    cost = Stepper(recipe, batch, CPU).cost()
    assert cost.memory == run_folder.read_summary(tmp_path / "run")["peak_memory_bytes"]


def test_the_first_image_is_part_of_the_step_that_is_timed(
    examples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe(examples, steps=2)
    batch = TrainingBatches(find(examples, 1), recipe.mask, 1, recipe.seed).at(0)
    made = []
    monkeypatch.setattr(Unrolled, "first", lambda _, m: made.append(m) or m.adjoint)
    stepper = Stepper(recipe, batch, CPU)
    stepper()
    stepper()
    assert len(made) == 2


def test_a_network_that_goes_on_from_a_run_is_metered_with_what_is_new(
    examples: Path, tmp_path: Path
) -> None:
    begun = tiny_recipe(examples, steps=2)
    train(begun, tmp_path / "begun", quiet=True)
    deeper = grown(begun, tmp_path / "begun", 2)
    batch = TrainingBatches(find(examples, 1), begun.mask, 1, begun.seed).at(0)
    stepper = Stepper(deeper, batch, CPU)
    assert [len(module.iterations) for module in stepper.learner.modules] == [2]
    assert 0 < stepper.cost().states < Stepper(begun, batch, CPU).cost().states
