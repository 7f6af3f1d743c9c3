import inspect

import pytest
from tiny import example_files, tiny_recipe, tiny_scan

import gleam
from gleam import recipe as recipes
from gleam.face.words import in_python
from gleam.formats import write_scan


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    """A folder as the examples in docstrings and pages find it: a scan, examples, a trained run."""
    folder = tmp_path_factory.mktemp("workplace")
    shape = (32, 48)
    write_scan(tiny_scan(shape, name="scan"), folder / "scan.h5")
    recipe = tiny_recipe(example_files(folder, scans=2, shape=shape))
    recipes.save(recipe.changed(mask={"acceleration": 4}), folder / "recipe.yaml")
    gleam.train(folder / "recipe.yaml", folder / "runs/greedy", quiet=True)
    return folder


@pytest.fixture
def there(workplace, monkeypatch):
    """In that folder."""
    monkeypatch.chdir(workplace)
    return workplace


@pytest.fixture
def as_users_call_it():
    """A function without the check of types that only tests make."""
    return lambda function: in_python()(inspect.unwrap(function))
