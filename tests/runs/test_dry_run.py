import json
import tempfile
from pathlib import Path

import pytest
from tiny import example_files, tiny_recipe

from gleam import precision
from gleam.errors import BadInput
from gleam.recipe import Recipe
from gleam.runs import dry_run as rehearsal
from gleam.runs import folder as run_folder
from gleam.runs.dry_run import kind_of_data, rehearse
from gleam.runs.train import train


def recipe(mask: dict[str, object], dimensions: int = 2, **network: object) -> Recipe:
    regulariser = {"width": 4, "blocks": 1, "dimensions": dimensions}
    values = {"iterations": 3, "cg_steps": 2, "regulariser": regulariser} | network
    training = {"modules": 2}
    return Recipe.model_validate({"mask": mask, "network": values, "training": training})


KINDS = [
    ({"kind": "equispaced", "acceleration": 4}, 2, "2D slices"),
    ({"kind": "random", "acceleration": 8}, 2, "2D slices"),
    ({"kind": "poisson", "acceleration": 16}, 2, "2D slices"),
    ({"kind": "equispaced", "acceleration": 4}, 3, "2D series"),
    ({"kind": "kt-random", "acceleration": 12}, 3, "2D series"),
    ({"kind": "kt-vista", "acceleration": 4}, 2, "2D series"),
    ({"kind": "poisson", "acceleration": 8, "shutter": True}, 3, "volumes"),
]


@pytest.mark.parametrize(("mask", "dimensions", "kind"), KINDS, ids=lambda x: str(x))
def test_a_recipe_is_tried_on_the_kind_of_data_that_it_is_for(
    mask: dict[str, object], dimensions: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = []

    def prepared(scan: object, settings: object, real: type = rehearsal.Prepared) -> object:
        made = real(scan, settings)
        shapes.append(made.shape)
        return made

    monkeypatch.setattr(rehearsal, "Prepared", prepared)
    found = rehearse(recipe(mask, dimensions, sets=2))
    assert found.kind == kind == kind_of_data(recipe(mask, dimensions))
    _, _, frames, *space = shapes[0]
    assert (len(space) == 3, frames > 1) == (kind == "volumes", kind == "2D series")


def test_slabs_are_of_volumes_even_if_slices_are_convolved() -> None:
    """As in the paper, where a slice is one position along the readout of a volume."""
    values = recipe({"kind": "poisson", "acceleration": 4}).model_dump(mode="json")
    values["data"] |= {"slab": 1, "margin": 0, "batch": 4}
    assert rehearse(Recipe.model_validate(values)).kind == "volumes"
    values["mask"] = {"kind": "kt-golden", "acceleration": 4}
    assert rehearse(Recipe.model_validate(values)).kind == "2D series"  # in slabs, too


def test_its_parameters_are_those_of_the_run_and_all_is_tried_in_it(tmp_path: Path) -> None:
    examples = example_files(tmp_path, scans=1)
    full = tiny_recipe(
        examples, polish=3, storage="offload", offload_to=str(tmp_path), idle=tmp_path
    )
    found = rehearse(full)
    assert found.missing == {}
    assert found.modules == [2, 1]
    assert found.iterations == 3
    train(full, tmp_path / "run", quiet=True)
    assert found.parameters == run_folder.read_summary(tmp_path / "run")["parameters"]


def test_what_is_not_there_yet_is_named_and_no_error() -> None:
    values = recipe({}).model_dump(mode="json")
    values["data"] = {"train": "no/train", "validation": "no/validation"}
    values["training"] |= {
        "start": "no/run",
        "frozen": 1,
        "modules": 2,
        "polish": 5,
        "idle": "no/files",
    }
    found = rehearse(Recipe.model_validate(values))
    fields = {"data.train": "no/train", "data.validation": "no/validation"}
    assert found.missing == fields | {"training.start": "no/run", "training.idle": "no/files"}


def test_it_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rehearse(recipe({}))
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(BadInput, match=r"acceleration 1 leaves .* more than the .* in the shutter"):
        rehearse(recipe({"kind": "poisson", "acceleration": 1, "shutter": True}, 3))


def test_no_step_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every module learns once and every scheme is validated, whatever the recipe's own rhythm."""
    seen: list[Recipe] = []
    real = rehearsal.train_in_stages

    def spied(short: Recipe, *arguments: object, **options: object) -> object:
        seen.append(short)
        return real(short, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(rehearsal, "train_in_stages", spied)
    values = recipe({}).model_dump(mode="json")
    values["training"] |= {"steps": 10**6, "polish": 100, "validate_every": 10**5}
    values["data"]["batch"] = 3
    rehearse(Recipe.model_validate(values))
    t = seen[0].training
    assert (t.steps, t.validate_every, t.polish, seen[0].data.batch) == (1, 1, 1, 3)
    assert seen[0].data.validation is not None


def test_a_width_that_a_gpu_pads_is_named() -> None:
    regulariser = {"width": 12, "blocks": 1, "bf16": True}
    values = recipe({}, regulariser=regulariser)
    assert "12 features in bfloat16 are padded to 16 on a GPU" in str(rehearse(values))


def test_deterministic_kernels_are_asked_for_and_noted(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(precision.decide)
    examples = example_files(tmp_path, 2)
    train(tiny_recipe(examples, steps=1, deterministic=True), tmp_path / "run", quiet=True)
    noted = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert noted["precision"]["deterministic"] is True
