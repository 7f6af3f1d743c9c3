"""Networks that ship: names that stand wherever the folder of a run does."""

import os
from pathlib import Path

import pytest
import torch
from shelves import NAME, put
from tiny import example_files, prepared, tiny_recipe, tiny_scan

from gleam.errors import BadInput
from gleam.networks.weights import weights_of
from gleam.recipe import DataRecipe, Recipe
from gleam.reconstruction.reconstruct import reconstruct
from gleam.reconstruction.reconstructor import Trained
from gleam.runs import folder as run_folder
from gleam.runs import shipped
from gleam.runs.adaptation import Adaptation, adapt
from gleam.runs.initial import initial
from gleam.runs.run import Run
from gleam.runs.train import train

LARGEST = 1_500_000  # bytes of weights


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """That of `NAME`, which ships; the working directory is empty."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "shelf")
    return put(tmp_path / "shelf")


def test_a_name_is_a_run_whose_weights_are_computed_with_in_full_precision(recipe: Recipe) -> None:
    run = Run(NAME)
    assert os.fspath(run) == NAME
    assert run.recipe == recipe
    assert {weight.dtype for weight in weights_of(run.network).values()} == {torch.float32}
    assert run.trained_on.kinds == ("2D slices",)
    assert run.summary == {}


def test_a_folder_of_the_users_goes_first(recipe: Recipe) -> None:
    assert shipped.ships(Path(NAME))
    run_folder.begin(Path(NAME), recipe.changed(seed=7), "", Run(NAME).trained_on)
    assert not shipped.ships(Path(NAME))
    assert Run(NAME).recipe.seed == 7


@pytest.mark.usefixtures("recipe")
def test_a_name_that_does_not_ship_is_told_which_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match=rf"does not exist; .* or take one that ships: {NAME}$"):
        Run("gleam-3d")
    with pytest.raises(BadInput, match="does not exist"):
        Run(f"elsewhere/{NAME}")
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "nothing")
    with pytest.raises(BadInput, match=r"train a run with `gleam train`$"):
        Run(NAME)


def test_training_starts_from_it(recipe: Recipe, tmp_path: Path) -> None:
    own = tiny_recipe(example_files(tmp_path, scans=1), start=NAME, steps=1, loggers=())
    begun, known = weights_of(initial(own.changed(seed=3))), weights_of(Run(NAME).network)
    assert all(torch.equal(begun[name], weight) for name, weight in known.items())
    train(own, tmp_path / "run", quiet=True)
    assert Run(tmp_path / "run").trained_on.masks == Run(NAME).trained_on.masks
    assert recipe.network == own.network


@pytest.mark.usefixtures("recipe")
def test_an_adapted_run_names_it_and_not_its_place(tmp_path: Path) -> None:
    scans = [example_files(tmp_path, scans=1)]
    how = Adaptation(steps=2, mask=tiny_recipe(Path()).mask)
    adapt(Path(NAME), scans, tmp_path / "own", how, quiet=True)
    assert Run(tmp_path / "own").recipe.training.start == Path(NAME)
    assert not (tmp_path / "here" / NAME).exists()
    with pytest.raises(BadInput, match="is the run to start from"):
        adapt(Path(NAME), scans, Path(NAME), how, quiet=True)


@pytest.mark.parametrize("name", shipped.names())
def test_what_ships_is_small_whole_and_of_no_machine(name: str) -> None:
    folder = shipped.SHIPPED / name
    assert {path.name for path in folder.iterdir()} == {
        "recipe.yaml", "model.safetensors", "trained_on.json", "MODEL_CARD.md",
    }  # fmt: skip
    assert (folder / "model.safetensors").stat().st_size <= LARGEST
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Not for diagnosis" in card
    assert "## Figures" in card, "measure it, and write its card again with --figures"
    run, usual = Run(folder), str(DataRecipe().train)
    text = (folder / "recipe.yaml").read_text(encoding="utf-8")
    assert "/" not in text.replace(usual, "")
    assert run.recipe.training.start is None
    assert not any(run.trained_on.training.values())  # names of scans
    scan = prepared(tiny_scan((32, 24), slices=1, coils=4))
    image = reconstruct(Trained.of(folder), scan, run.recipe.mask.changed(acceleration=1.6))
    assert abs(image.image).max() > 0
