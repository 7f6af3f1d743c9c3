from pathlib import Path

import pytest
import torch
from tiny import example_files, tiny_recipe

from gleam.errors import BadInput
from gleam.recipe import Recipe
from gleam.runs import folder as run_folder
from gleam.runs.initial import initial
from gleam.runs.run import Run
from gleam.runs.train import train


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 3 iterations."""
    here = tmp_path_factory.mktemp("earlier")
    train(tiny_recipe(example_files(here), steps=2), here / "run", quiet=True)
    return here / "run"


def starting(earlier: Path, network: dict[str, object], **training: object) -> Recipe:
    recipe = run_folder.load_recipe(earlier).model_dump(mode="json")
    recipe["network"] |= network
    recipe["training"] |= {"start": earlier, "modules": 1, **training}
    return Recipe.model_validate(recipe)


def test_the_first_iterations_are_the_earlier_runs(earlier: Path) -> None:
    recipe, before = Run(earlier).recipe, Run(earlier).network
    drawn = initial(recipe.model_copy(update={"seed": 7}))
    longer = initial(starting(earlier, {"iterations": 5}, frozen=2).model_copy(update={"seed": 7}))
    assert longer.frozen == 2
    assert len(longer.iterations) == 5
    for k, iteration in enumerate(longer.iterations):
        expected = before.iterations[k] if k < 3 else None
        if expected is not None:
            own, theirs = iteration.state_dict(), expected.state_dict()
            assert all(torch.equal(own[name], theirs[name]) for name in theirs)
            assert not torch.equal(
                own["regulariser.cnn.first.weight"],
                drawn.iterations[k].state_dict()["regulariser.cnn.first.weight"],
            )
        assert all(parameter.requires_grad for parameter in iteration.parameters())


@pytest.mark.parametrize(
    ("network", "training", "said"),
    [
        ({"iterations": 2}, {}, "is of 3 iterations, the recipe of 2; give as many or more"),
        ({"iterations": 6}, {"frozen": 5}, "is of 3 iterations, so no more can be frozen"),
        ({"family": "pgd"}, {}, "is of another kind of network"),
        ({"regulariser": {"width": 5}}, {}, "is of another kind of network"),
    ],
)
def test_a_run_that_is_no_beginning_is_refused(
    network: dict[str, object], training: dict[str, object], said: str, earlier: Path
) -> None:
    with pytest.raises(BadInput, match=f"training.start: {earlier}: {said}"):
        initial(starting(earlier, network, **training))


def test_what_is_no_run_is_refused(earlier: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not a run"):
        initial(starting(earlier, {}, start=tmp_path))
