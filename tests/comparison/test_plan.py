import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gleam import recipe as recipes
from gleam.comparison.plan import Plan, make, read, save, slug
from gleam.errors import BadInput

TWO = {
    "greedy": {},
    "end-to-end": {"network": {"regulariser": {"width": 8}}, "training": {"modules": 1}},
}


def plan_of(folder: Path, compare: Any, only: tuple[str, ...] = (), **values: Any) -> Plan:
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump({**values, "compare": compare}, sort_keys=False))
    return make(*read(file), only)


def refused(folder: Path, compare: Any, **values: Any) -> str:
    with pytest.raises(BadInput) as caught:
        plan_of(folder, compare, **values)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{folder / 'recipe.yaml'}: ")


def test_a_scheme_changes_the_recipe_field_by_field(tmp_path: Path) -> None:
    network = {"iterations": 4, "regulariser": {"blocks": 1}}
    plan = plan_of(tmp_path, {"schemes": TWO}, network=network, training={"modules": 2})
    greedy, rival = plan.recipes.values()
    assert (greedy.training.modules, rival.training.modules) == (2, 1)
    assert (greedy.network.regulariser.width, rival.network.regulariser.width) == (32, 8)
    assert rival.network.regulariser.blocks == 1
    assert rival.network.iterations == 4


def test_the_one_compared_against_comes_first_and_always(tmp_path: Path) -> None:
    compare = {"schemes": {**TWO, "other": {}}, "against": "end-to-end"}
    assert [*plan_of(tmp_path, compare).recipes] == ["end-to-end", "greedy", "other"]
    assert [*plan_of(tmp_path, compare, only=("other",)).recipes] == ["end-to-end", "other"]
    assert plan_of(tmp_path, {"schemes": TWO}).against == "greedy"
    with pytest.raises(BadInput, match=r"othr: no such scheme; did you mean other\?"):
        plan_of(tmp_path, compare, only=("othr",))


# Whatever a recipe does that its rivals cannot.
OF_ITS_OWN = [
    {},
    {"training": {"overlap": 7, "loss_weights": "last"}},
    {"training": {"storage": "offload", "offload_to": "scratch"}},
    {"training": {"polish": 9}},
    {"training": {"start": "run", "frozen": 4}},
    {"network": {"regulariser": {"inputs": ["gradient", "change"]}}},
    {"network": {"family": "pgd", "regulariser": {"coupling": True}}},
]


@pytest.mark.parametrize("own", OF_ITS_OWN, ids=str)
def test_a_greedy_recipe_without_schemes_meets_its_rivals(
    own: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(own))
    plan = make(*read(file))
    assert plan.against == "greedy"
    assert plan.base == recipes.load(file)
    rivals = {name: r.training.storage for name, r in plan.recipes.items() if name != "greedy"}
    assert rivals == {
        "end-to-end": "store", "checkpoint": "checkpoint", "reversible": "invert",
        "shallow": "store", "narrow": "store",
    }  # fmt: skip
    for name in rivals:
        assert plan.recipes[name].module_sizes() == [16]
        assert plan.recipes[name].training.start is None


@pytest.mark.parametrize(("iterations", "pairs"), [(16, [2] * 8), (5, [2, 2, 1]), (1, [1])])
def test_an_end_to_end_recipe_meets_greedy_modules_of_two(
    iterations: int, pairs: list[int], tmp_path: Path
) -> None:
    file = tmp_path / "recipe.yaml"
    values = {"training": {"modules": 1}, "network": {"iterations": iterations}}
    file.write_text(yaml.safe_dump(values))
    plan = make(*read(file))
    assert [*plan.recipes] == ["end-to-end", "greedy", "checkpoint", "reversible"]
    assert plan.recipes["greedy"].module_sizes() == pairs


@pytest.mark.parametrize(
    ("compare", "said"),
    [
        ({"schems": TWO}, "compare.schems: no such field; did you mean schemes\\?"),
        (
            {"schemes": {"a": {"buget": "time"}}},
            "compare.schemes.a.buget: no such field; did you mean budget\\?",
        ),
        ({"schemes": {}}, "compare.schemes: .*at least 1.*"),
        ({"schemes": {"a": {"budget": "money"}}}, "compare.schemes.a.budget: .*'time'.*"),
        ({"schemes": TWO, "against": "gredy"}, "compare: against: gredy; did you mean greedy\\?"),
        ({"schemes": {"a b": {}, "A-b": {}}}, "compare: schemes: two are named like a b; .*"),
        (
            {"schemes": {"a": {"network": {"iteratons": 3}}}},
            "compare.schemes.a: network.iteratons: no such field; did you mean iterations\\?",
        ),
        (
            {"schemes": {"a": {"training": {"modules": 99}}}},
            "compare.schemes.a: training.modules is 99 but .*",
        ),
        ({"schemes": {"a": {"budget": "time"}}}, "compare.schemes.a: sets the budget, .*"),
        ({"schemes": {"a": {"fit": "width"}}}, "compare.schemes.a: sets the budget, .*"),
        (
            {"schemes": {"a": {}, "b": {"training": {"modules": [9, 7]}, "fit": "iterations"}}},
            "compare.schemes.b.fit: iterations .* training.modules \\[9, 7\\] fit 16 .*number.*",
        ),
        (
            {"schemes": {"a": {}, "b": {"training": {"start": "run"}, "fit": "width"}}},
            "compare.schemes.b.fit: width .* training.start: run is of one size; .*",
        ),
        (
            {"schemes": {"a": {"seeds": 0}}},
            "compare.schemes.a.seeds: .*greater than or equal to 1 \\(got 0\\)",
        ),
        ({"schemes": {"a": {}, "b": {"network": {"sets": 2}}}}, "compare.schemes: .*sets diff.*"),
        ("schemes", "compare: .*dictionary.*"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line(compare: Any, said: str, tmp_path: Path) -> None:
    assert re.fullmatch(said, refused(tmp_path, compare))


def test_lengths_of_modules_may_be_as_wide_as_fits(tmp_path: Path) -> None:
    schemes = {"greedy": {}, "narrow": {"fit": "width"}}
    plan = plan_of(tmp_path, {"schemes": schemes}, training={"modules": [9, 7]})
    assert plan.recipes["narrow"].module_sizes() == [9, 7]


def test_other_fields_are_the_recipes(tmp_path: Path) -> None:
    said = refused(tmp_path, {"schemes": TWO}, trainig={})
    assert said == "trainig: no such field; did you mean training?"


def test_the_plan_is_written_whole(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"schemes": TWO})
    save(plan, tmp_path / "plan.yaml")
    assert Plan.model_validate(yaml.safe_load((tmp_path / "plan.yaml").read_text())) == plan


def test_names_make_folders() -> None:
    assert slug("Greedy, 16 iterations") == "greedy-16-iterations"
    assert slug("../../etc") == "etc"
