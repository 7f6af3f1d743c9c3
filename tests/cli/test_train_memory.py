import pytest
from tiny import example_files, tiny_recipe

from gleam import recipe as recipes
from gleam.cli import main
from gleam.cli import train as verb
from gleam.planning import plan as planning
from gleam.planning.footprint import Footprint
from gleam.planning.trace import Work
from gleam.runs.folder import load_recipe


def made_up(recipe, scan, machine, devices=1):
    """Footprint that counts what is stored alone: 2 MiB for each iteration of a module."""
    stored = max(recipe.module_sizes()) if recipe.training.storage == "store" else 1
    return Footprint(0, 0, 0, stored * 2**21, 0, work=Work())


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "footprint", made_up)
    path = tmp_path / "recipe.yaml"
    one = tiny_recipe(example_files(tmp_path, 1), modules=1, steps=1)
    recipes.save(one.changed(network={"family": "pgd"}), path)
    return path


def test_storage_is_chosen_so_that_training_fits(file, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", str(file), "--out", str(out), "--memory", "3MiB"]) == 0
    assert load_recipe(out).training.storage == "checkpoint"
    assert "so that it fits into 3 MiB: training.storage: checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--memory", "1MiB"], "training takes 6 MiB of 1 MiB, whatever is stored"),
        (["--memory", "12"], "train: --memory is 1MiB or more, as 4GiB; not '12'"),
        (["--hours", "-1"], "train: --hours are more than 0, not -1"),
        (["--hours", "2"], "minutes: 120 say how long, and so do steps: 1"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(file, tmp_path, options, said, capsys):
    out = tmp_path / "run"
    assert main(["train", str(file), "--out", str(out), *options]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_what_is_surely_too_large_is_looked_at_unasked(file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(verb, "is_small", lambda *_: False)
    monkeypatch.setattr(verb, "memory_of", lambda *_: 2**20)
    assert main(["train", str(file), "--out", str(tmp_path / "run")]) == 2
    assert "training takes 6 MiB of 1 MiB" in capsys.readouterr().err


def test_a_small_training_is_not_traced(file, tmp_path, monkeypatch):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr(planning, "footprint", never)
    assert main(["train", str(file), "--out", str(tmp_path / "run")]) == 0


def test_a_run_goes_on_as_it_began(tmp_path, capsys):
    assert main(["train", "--resume", str(tmp_path), "--memory", "3GiB"]) == 2
    assert "give nothing else" in capsys.readouterr().err
