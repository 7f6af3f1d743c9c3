import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from gleam.errors import BadInput
from gleam.recipe import MaskRecipe, Recipe, load, parse, save


def fields(part: type[BaseModel] = Recipe, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of every field that is not itself a part."""
    found = []
    for name, field in part.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found += fields(inner, (*path, name))
        else:
            found.append((*path, name))
    return found


def nested(path: tuple[str, ...], value: object) -> dict[str, Any]:
    for name in reversed(path):
        value = {name: value}
    assert isinstance(value, dict)
    return value


def problem(values: dict[Any, Any]) -> str:
    with pytest.raises(BadInput) as caught:
        parse(values, "here")
    message = str(caught.value)
    assert "\n" not in message
    assert not any(noise in message for noise in ("[type=", "constrained", "pydantic", "Value err"))
    assert message.startswith("here: ")
    return message.removeprefix("here: ")


def test_yaml_round_trip_says_every_field(tmp_path: Path) -> None:
    recipe = parse(
        {
            "seed": 3,
            "data": {"validation": "a folder"},
            "network": {"iterations": 5, "cg_tolerance": 1e-4},
            "training": {"modules": [2, 3], "clip": None, "learning_rate": 1e-5},
        },
        "",
    )
    save(recipe, tmp_path / "recipe.yaml")
    assert load(tmp_path / "recipe.yaml") == recipe
    written = yaml.safe_load((tmp_path / "recipe.yaml").read_text())
    for path in fields():
        inner = written
        for name in path:
            inner = inner[name]


def test_empty_file_is_the_default_recipe(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").touch()
    assert load(tmp_path / "empty.yaml") == Recipe()


@pytest.mark.parametrize("path", fields(), ids=".".join)
def test_misspelt_field_at_any_depth_is_refused_with_the_nearest(path: tuple[str, ...]) -> None:
    *parents, name = path
    misspelt = name[:-1] + "X"
    where = ".".join([*parents, misspelt])
    message = problem(nested((*parents, misspelt), 1))
    assert message == f"{where}: no such field; did you mean {name}?"


@pytest.mark.parametrize(
    "path", [p for p in fields() if p != ("network", "arguments")], ids=".".join
)
def test_wrong_type_in_any_field_is_named_with_its_value(path: tuple[str, ...]) -> None:
    message = problem(nested(path, {"no": "sense"}))
    assert message.startswith(f"{'.'.join(path)}: Input ")
    assert message.endswith("(got {'no': 'sense'})")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"network": {"iterations": 0}}, "network.iterations: .* equal to 1 \\(got 0\\)"),
        ({"mask": {"acceleration": float("nan")}}, "mask.acceleration: .*finite.*\\(got nan\\)"),
        ({"mask": {"acceleration": 0.5}}, "mask.acceleration: .* equal to 1 \\(got 0.5\\)"),
        ({"mask": {"kind": "spiral"}}, "mask.kind: .*'equispaced'.* \\(got 'spiral'\\)"),
        ({"mask": {"shutter": True}}, "mask: shutter .* two axes, .*kind equispaced .* poisson"),
        (
            {"training": {"holdout": {"share": 0.5}}},
            r"training.holdout: share: 3 splits of 0.5 are .* at most 0.33, or fewer splits",
        ),
        ({"training": {"modules": 0}}, "training.modules: .* equal to 1 \\(got 0\\)"),
        ({"training": {"modules": "x"}}, "training.modules: .*integer.* \\(got 'x'\\)"),
        ({"training": {"modules": [8, 0, 8]}}, "training.modules: .* equal to 1 \\(got 0\\)"),
        ({"training": {"modules": [8, "x"]}}, "training.modules: .*integer.* \\(got 'x'\\)"),
        ({"training": {"modules": 17}}, "training.modules is 17 but network.iterations only 16.*"),
        ({"training": {"modules": [8, 7]}}, ".*add up to 15, but network.iterations is 16"),
        ({"network": {"regulariser": {"kernel": 4}}}, "network.regulariser.kernel: must be odd.*4"),
        ({"training": {"modules": 4, "overlap": 4}}, ".*overlap is 4 but .* 4 modules; .*most 3"),
        ({"training": {"loss_weights": "last"}}, ".*without a loss.* needs training.overlap: 7"),
        ({"training": {"storage": "invert"}}, ".*cannot undo family modl, .*: reversible or .*"),
        (
            {
                "training": {"storage": "invert"},
                "network": {"regulariser": {"coupling": True}},
            },
            ".*only solves to a tolerance; set network.cg_tolerance.*",
        ),
        (
            {"network": {"regulariser": {"levels": 2}}},
            "network.regulariser: levels: a resnet has none; leave it out, or set kind: unet",
        ),
        (
            {"network": {"regulariser": {"circular": True}}},
            "network.regulariser: circular: .*dimensions: 3",
        ),
        (
            {"network": {"family": "reversible", "regulariser": {"coupling": True}}},
            "network.regulariser.coupling: .*invertible without it",
        ),
        (
            {"network": {"family": "reversible", "regulariser": {"inputs": ["change"]}}},
            "network.regulariser.inputs: .*shown the image alone.*",
        ),
        (
            {"network": {"regulariser": {"inputs": ["change", "change"]}}},
            "network.regulariser.inputs: names one twice: change, change",
        ),
        ({"training": {"interpolation": 0.5}}, "training.interpolation: from where.*"),
        ({"training": {"interpolation": 0}}, "training.interpolation: .*"),
        ({"training": {"frozen": 2}}, "training.frozen: 2 iterations .* name the run .*start"),
        (
            {"training": {"frozen": 12, "start": "run", "modules": 5}},
            ".*modules is 5 but network.iterations only 16, of which 12 are frozen; .*",
        ),
        ({"training": {"offload_to": "."}}, "training.offload_to is for .*storage: offload only"),
        (
            {"network": {"patch": [8, 8, 8]}},
            r"network: patch: \[8, 8, 8\] are 3 numbers, but .* 2 axes; give one for each, or auto",
        ),
        ({"network": {"patch": [8, 0]}}, r"network.patch: .*greater than or equal to 1 \(got 0\)"),
        (
            {"network": {"family": "python", "build": "a:b", "patch": "auto"}},
            "network: patch: is not for family python; say it in network.arguments, or leave it",
        ),
        (
            {"network": {"family": "python", "build": "a:b"}, "training": {"maps": "host"}},
            "training.maps: host is for the networks of this program; .* what a:b does with maps.*",
        ),
        ({"training": {"idle": "./host"}}, "training.idle: host is no folder's name here; .*"),
        ({"network": 3}, "network: .* \\(got 3\\)"),
        ({3: 4}, "3: .*"),
    ],
)  # fmt: skip
def test_wrong_value_is_named_with_its_field(values: dict[Any, Any], said: str) -> None:
    assert re.fullmatch(said, problem(values))


def test_misspelling_comes_before_a_wrong_value() -> None:
    values = {"seed": -1, "network": {"regulariser": {"widht": 3}}}
    assert problem(values) == "network.regulariser.widht: no such field; did you mean width?"


def test_long_value_is_not_repeated_in_full() -> None:
    assert len(problem({"training": {"modules": [["x" * 1000] * 1000] * 1000}})) < 300


@pytest.mark.parametrize(
    ("sizes", "modules", "iterations"),
    [([2, 2, 2], 3, 6), ([3, 2, 2], 3, 7), ([1, 4], [1, 4], 5), ([5], 1, 5)],
)
def test_every_iteration_is_in_one_module(
    sizes: list[int], modules: int | list[int], iterations: int
) -> None:
    recipe = parse({"training": {"modules": modules}, "network": {"iterations": iterations}}, "")
    assert recipe.module_sizes() == sizes


@pytest.mark.parametrize(
    ("kind", "overlap", "weights"),
    [("flat", 0, [1, 1, 1, 1]), ("ramped", 0, [0.25, 0.5, 0.75, 1]), ("last", 3, [0, 0, 0, 1])],
)
def test_loss_weights(kind: str, overlap: int, weights: list[float]) -> None:
    fields = {"modules": 4, "loss_weights": kind, "overlap": overlap}
    assert parse({"training": fields}, "").loss_weights() == weights


@pytest.mark.parametrize(
    "network",
    [
        {"family": "reversible"},
        {"family": "pgd", "regulariser": {"coupling": True}},
        {"family": "modl", "regulariser": {"coupling": True}, "cg_tolerance": 1e-6},
    ],
)
def test_invertible_networks_can_be_inverted(network: dict[str, Any]) -> None:
    recipe = parse({"network": network, "training": {"storage": "invert"}}, "")
    assert recipe.training.storage == "invert"


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch x']",
        "seed: !!python/name:os.system",
        "seed: [",
        "a: 1\n b: 2",
        "seed: 2001-99-99",
        "[" * 5000,
        "- a list",
        "just words",
        "\0",
        "caf\xe9".encode("latin-1"),
    ],
    ids=range(10),
)
def test_what_is_no_recipe_is_refused_in_one_line(text: str | bytes, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadInput) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no\.yaml: cannot be read as a recipe"):
        load(tmp_path / "no.yaml")


def test_a_changed_recipe_differs_in_what_was_said_alone() -> None:
    network = {"iterations": 4, "regulariser": {"blocks": 1}}
    recipe = parse({"network": network, "training": {"modules": 2}, "seed": 3}, "")
    values = {"training": {"modules": [2, 1, 1]}, "network": {"regulariser": {"width": 8}}}
    changed = recipe.changed(seed=5, **values)
    expected = {"network": {"iterations": 4, "regulariser": {"blocks": 1, "width": 8}}, "seed": 5}
    assert changed == parse(expected | {"training": {"modules": [2, 1, 1]}}, "")
    assert recipe.network.regulariser.width == 32


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"network": {"iterations": 3}}, "training.modules \\[2, 1, 1\\] add up to 4, but .* 3"),
        ({"training": {"modules": 1, "overlap": 7}}, "training.overlap is 7 but there are 1 .*"),
        (
            {"network": {"regulariser": {"widht": 8}}},
            "network.regulariser.widht: no such field; did you mean width\\?",
        ),
        ({"network": {"regulariser": {"kernel": 4}}}, "network.regulariser.kernel: must be odd.*"),
        ({"training": {"steps": 0}}, "training.steps: .*greater than or equal to 1 \\(got 0\\)"),
        ({"network": None}, "network: .*"),
    ],
)
def test_a_changed_recipe_is_checked_like_any(changes: dict[str, Any], said: str) -> None:
    recipe = parse({"network": {"iterations": 4}, "training": {"modules": [2, 1, 1]}}, "")
    with pytest.raises(BadInput) as caught:
        recipe.changed(**changes)
    assert re.fullmatch(said, str(caught.value))


def test_list_of_masks_trains_with_all_and_validates_with_the_first(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("mask: [{acceleration: 6}, {kind: poisson}]")
    recipe = load(tmp_path / "recipe.yaml")
    assert recipe.mask == MaskRecipe(acceleration=6)
    assert recipe.training_masks == (recipe.mask, MaskRecipe(kind="poisson"))
    save(recipe, tmp_path / "again.yaml")
    assert load(tmp_path / "again.yaml") == recipe
    assert Recipe().training_masks == (MaskRecipe(),)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"mask": []}, "mask: an empty list; give a mask, or several"),
        (
            {"mask": [{}, {"kinds": "poisson"}]},
            "data.masks.1.kinds: no such field; did you mean kind?",
        ),
        ({"mask": [{}, {}], "training": {"target": "kspace"}}, "data.masks: a scan whose held-out"),
    ],
)
def test_masks_that_do_not_fit_are_named(values: dict[str, Any], said: str) -> None:
    assert problem(values).startswith(said)
