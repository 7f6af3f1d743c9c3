"""A run becomes a network that ships: small, without paths and names, with a card of figures."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import tiny_recipe, trained_on

from benchmarks import ship, ship_figures
from gleam.errors import BadInput
from gleam.networks import build
from gleam.networks.weights import weights_of
from gleam.runs import folder as run_folder
from gleam.runs.run import Run
from gleam.runs.shipped import SHIPPED

FIGURES = {
    "recipe": "recipes/any.yaml",
    "commands": ["gleam train recipes/any.yaml --out runs/any"],
    "tables": [
        {
            "title": "Adapted",
            "command": "python -m benchmarks.any",
            "columns": ["scan", "dB"],
            "rows": [["head", 34.567], ["knee", 30]],
        }
    ],
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    recipe = tiny_recipe(tmp_path / "secret" / "place")
    known = trained_on(recipe).model_copy(update={"training": {"abc": "Doe"}})
    run_folder.begin(tmp_path / "run", recipe, "", known)
    run_folder.save_model(tmp_path / "run", weights_of(build(recipe.network, 1)))
    return tmp_path / "run"


def test_what_ships_is_half_as_large_and_tells_of_nobody(run: Path, tmp_path: Path) -> None:
    goal = ship.ship(run, "gleam-any", FIGURES, tmp_path / "shelf")
    assert goal == tmp_path / "shelf" / "gleam-any"
    weights = load_file(goal / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float16}
    own = weights_of(Run(run).network)
    for name, weight in weights_of(Run(goal).network).items():
        torch.testing.assert_close(weight, own[name], rtol=1e-3, atol=1e-6)
    assert {path.name for path in goal.iterdir()} == {
        "recipe.yaml", "model.safetensors", "trained_on.json", "MODEL_CARD.md",
    }  # fmt: skip
    for path in goal.glob("*.[yjM]*"):
        text = path.read_text(encoding="utf-8")
        assert "secret" not in text
        assert "Doe" not in text
    assert "abc" in (goal / "trained_on.json").read_text()


def test_its_card_has_the_figures_as_they_were_measured(run: Path, tmp_path: Path) -> None:
    goal = ship.ship(run, "gleam-any", FIGURES, tmp_path / "shelf")
    card = (goal / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "# gleam-any" in card
    assert "gleam reconstruct gleam-any scan.h5 --adapt" in card
    assert "Adapted (`python -m benchmarks.any`):" in card
    assert "| scan | dB |\n| --- | --- |\n| head | 34.57 |\n| knee | 30 |" in card
    assert card.endswith("    gleam train recipes/any.yaml --out runs/any\n")
    goal = ship.ship(run, "gleam-any", {}, tmp_path / "shelf")  # measured later
    assert "## Figures" not in (goal / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_what_is_too_large_or_not_finite_does_not_ship(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = load_file(run / "model.safetensors")
    first = next(iter(weights))
    monkeypatch.setattr(ship, "LARGEST", 1000)
    with pytest.raises(BadInput, match="bytes of weights; 1000 may ship"):
        ship.ship(run, "gleam-any", {}, tmp_path / "shelf")
    run_folder.save_model(run, weights | {first: torch.full_like(weights[first], 1e5)})
    with pytest.raises(BadInput, match="is not finite in half precision"):
        ship.ship(run, "gleam-any", {}, tmp_path / "shelf")
    assert not [*(tmp_path / "shelf").glob("*")]


def test_the_card_that_ships_is_that_of_the_figures_that_were_measured(tmp_path: Path) -> None:
    figures = json.loads(ship_figures.OUT.read_text("utf-8"))
    assert figures["commands"] == ship_figures.commands()
    assert len(figures["commands"]) == 6
    goal = ship.ship(SHIPPED / "gleam-2d", "gleam-2d", figures, tmp_path)
    for part in ("MODEL_CARD.md", "model.safetensors"):
        assert (goal / part).read_bytes() == (SHIPPED / "gleam-2d" / part).read_bytes(), part
