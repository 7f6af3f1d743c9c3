"""What adaptation starts from: a run, the name of what ships, or a recipe of drawn weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from kinds import KINDS
from shelves import NAME, put
from tiny import prepared, tiny_recipe, tiny_scan, undersampled

from gleam import recipe as recipes
from gleam.errors import BadInput
from gleam.networks import build
from gleam.networks.weights import weights_of
from gleam.runs import shipped
from gleam.runs.adaptation import Adaptation, adapted
from gleam.runs.run import Run
from gleam.runs.start import Start


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of slices; its weights are spoilt, so not those that are drawn."""
    put(tmp_path, spoilt=True)
    return tmp_path / NAME


def test_a_run_starts_from_its_own_weights(run: Path) -> None:
    start, own = Start.of(run), Run(run)
    assert (start.place, start.run, start.recipe) == (run, run, own.recipe)
    assert start.trained_on == own.trained_on
    found, expected = weights_of(start.network), weights_of(own.network)
    assert all(torch.equal(weight, expected[name]) for name, weight in found.items())


def test_what_ships_starts_by_its_name(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "SHIPPED", run.parent)
    assert Start.of(Path(NAME)).run == Path(NAME)


def test_a_recipe_starts_from_weights_that_are_drawn(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path / "nowhere")
    recipes.save(recipe, tmp_path / "recipe.yaml")
    start = Start.of(tmp_path / "recipe.yaml")
    assert (start.recipe, start.run, start.trained_on) == (recipe, None, None)
    found = weights_of(start.network)
    drawn = weights_of(build(recipe.network, recipe.seed))
    assert all(torch.equal(weight, drawn[name]) for name, weight in found.items())


def test_a_recipe_starts_from_the_run_that_it_names(run: Path, tmp_path: Path) -> None:
    recipe = Run(run).recipe.changed(training={"start": run})
    recipes.save(recipe, tmp_path / "recipe.yaml")
    start = Start.of(tmp_path / "recipe.yaml")
    assert (start.run, start.trained_on) == (run, None)
    found, expected = weights_of(start.network), weights_of(Run(run).network)
    assert all(torch.equal(weight, expected[name]) for name, weight in found.items())


def test_a_run_is_for_the_kinds_that_it_was_trained_on(run: Path, tmp_path: Path) -> None:
    """Nobody has said yet what a recipe is for."""
    start = Start.of(run)
    assert start.check(KINDS["2D slices"], force=False) == []
    with pytest.raises(BadInput, match="was trained on 2D slices, but tiny holds 2D series"):
        start.check(KINDS["2D series"], force=False)
    assert len(start.check(KINDS["2D series"], force=True)) == 1
    recipes.save(start.recipe, tmp_path / "recipe.yaml")
    assert Start.of(tmp_path / "recipe.yaml").check(KINDS["2D series"], force=False) == []


def test_a_run_of_slices_takes_those_of_a_volume(run: Path) -> None:
    start = Start.of(run)
    assert start.volumes([KINDS["2D slices"]]) == "whole"
    assert start.volumes([KINDS["volumes"]]) == "slices"


def test_a_recipe_says_how_volumes_are_taken(tmp_path: Path) -> None:
    scan = undersampled(tiny_scan((20, 18, 16), 1), np.arange(16)[None, None, None] != 1)
    for volumes in ("whole", "slices"):
        recipe = tiny_recipe(tmp_path).changed(data={"volumes": volumes})
        recipes.save(recipe, tmp_path / "recipe.yaml")
        how = Adaptation(steps=2)
        own = adapted(Start.of(tmp_path / "recipe.yaml"), [prepared(scan, calibration=6)], how)
        assert own.data.volumes == volumes
