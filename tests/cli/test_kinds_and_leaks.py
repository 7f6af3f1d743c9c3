"""Networks are for the kinds of scans that they were trained on, and no test of those scans."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
import yaml
from kinds import KINDS
from tiny import example_files, tiny_recipe, trained_on

from gleam import recipe as recipes
from gleam.cli import main
from gleam.data.example import find, write
from gleam.data.header import VERSION
from gleam.data.trained_on import TrainedOn
from gleam.formats import write_scan
from gleam.networks import build
from gleam.recipe import Recipe
from gleam.runs import folder as run_folder

Say = Callable[..., list[str]]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scan files of every kind, example files of slices, and untrained runs of every kind."""
    here = tmp_path_factory.mktemp("kinds")
    example_files(here, scans=2)
    for kind, example in KINDS.items():
        write_scan(example.scan, here / f"{kind}.cfl")
        write(example, here / "of" / kind / "tiny.h5")
        make_run(here / f"on {kind}", tiny_recipe(here / "examples"), kind)
    seen = find(here / "examples", 1)
    recipe = tiny_recipe(here / "examples")
    make_run(here / "seen", recipe, TrainedOn.of([recipe.mask], seen[:1], seen[1:]))
    return here


def make_run(folder: Path, recipe: Recipe, kind: Any) -> None:
    on = trained_on(recipe, kind) if isinstance(kind, str) else kind
    run_folder.begin(folder, recipe, "data", on)
    run_folder.save_model(folder, build(recipe.network).state_dict())


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str]) -> Say:
    """Run a command line; what it warns of or ends with, its exit code being `code`."""

    def check(*arguments: object, code: int = 0) -> list[str]:
        capfd.readouterr()
        assert main([str(argument) for argument in arguments]) == code
        lines = capfd.readouterr().err.splitlines()
        return [line for line in lines if line.startswith("gleam: ")]

    return check


@pytest.mark.parametrize(
    ("trained", "kind"),
    [("2D slices", "2D series"), ("volumes", "2D slices"), ("2D series", "volumes")],
    ids=["2D on a series", "3D on a slice", "cine on a static scan"],
)
def test_another_kind_of_scan_is_refused_unless_forced(
    trained: str, kind: str, here: Path, tmp_path: Path, say: Say
) -> None:
    why = f"was trained on {trained}, but "
    what = ["reconstruct", here / f"on {trained}", here / f"{kind}.cfl", "-o", tmp_path / "x.npy"]
    (line,) = say(*what, code=2)
    assert line.startswith(f"gleam: {here / f'on {trained}'}: {why}")
    assert line.endswith("or say --force")
    assert f"holds {kind};" in line
    assert not (tmp_path / "x.npy").exists()
    assert any(why in line for line in say(*what, "--force"))
    assert (tmp_path / "x.npy").is_file()

    data = ["--data", here / "of" / kind, "--out", tmp_path / "report"]
    (line,) = say("evaluate", here / f"on {trained}", *data, code=2)
    assert f"{why}tiny holds {kind}" in line
    assert not (tmp_path / "report").exists()


def test_the_same_kind_of_scan_goes_without_a_word(here: Path, tmp_path: Path, say: Say) -> None:
    what = ["reconstruct", here / "on 2D slices", here / "2D slices.cfl", "-o"]
    assert say(*what, tmp_path / "same.npy", "--acceleration", 1.6) == []
    (doubt,) = say(*what, tmp_path / "full.npy")
    assert "was trained at 1.6×, and 2D slices is 1× accelerated" in doubt
    two = say(*what, tmp_path / "other.npy", "--acceleration", 1.1, "--mask", "random")
    assert [line.split("was trained ")[1].split(",")[0] for line in two] == [
        "at 1.6×", "with equispaced masks",
    ]  # fmt: skip


def test_scores_on_scans_that_were_seen_are_refused_unless_forced(
    here: Path, tmp_path: Path, say: Say
) -> None:
    what = ["evaluate", here / "seen", "--data", here / "examples", "--out", tmp_path / "report"]
    seen = "was trained on scan-0 and chose its best checkpoint by scan-1"
    (line,) = say(*what, code=2)
    assert line.startswith(f"gleam: {here / 'seen'}: {seen}; ")
    assert not (tmp_path / "report").exists()
    one, other = say(*what, "--force")
    assert "was trained on scan-0" in one
    assert "chose its best checkpoint by scan-1" in other
    title = (tmp_path / "report" / "report.html").read_text()
    assert "on scans that networks were made with" in title


def test_a_comparison_is_not_scored_on_its_own_data(here: Path, tmp_path: Path, say: Say) -> None:
    values = tiny_recipe(here / "examples").model_dump(mode="json")
    tests = {"own": str(here / "examples")}
    values["compare"] = {"schemes": {"greedy": {}}, "test": tests}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values))
    (line,) = say("compare", tmp_path / "recipe.yaml", "--out", tmp_path / "out", code=2)
    assert line.startswith("gleam: greedy: was trained on scan-0, scan-1; score it on scans that")
    assert not list((tmp_path / "out").glob("runs"))


def test_training_wants_a_network_for_its_kind_of_scans(
    here: Path, tmp_path: Path, say: Say
) -> None:
    recipes.save(tiny_recipe(here / "of" / "volumes"), tmp_path / "recipe.yaml")
    what = ["train", tmp_path / "recipe.yaml", "--out", tmp_path / "run"]
    (line,) = say(*what, code=2)
    assert line.startswith("gleam: tiny: holds volumes, but network.regulariser.dimensions is 2")
    slices = ["--data.train", here / "examples", "--network.regulariser.dimensions", 3]
    (line,) = say(*what, *slices, "--data.validation", "None", code=2)
    assert line.startswith("gleam: scan-0: holds 2D slices of one frame, but network.regulariser")
    (line,) = say(*what, "--data.slab", 1, "--data.validation", here / "examples", code=2)
    assert line.startswith("gleam: data.validation: scan-0: holds 2D slices, but data.train volum")
    assert not (tmp_path / "run").exists()


def test_runs_know_what_they_and_those_before_them_were_trained_on(
    here: Path, tmp_path: Path, say: Say
) -> None:
    """Trained, resumed after an early version began it, and grown on other scans."""
    recipe = tiny_recipe(here / "examples", steps=1)
    recipes.save(recipe, tmp_path / "recipe.yaml")
    (warning,) = say("train", tmp_path / "recipe.yaml", "--out", tmp_path / "run")
    assert "data.validation: scan-0, scan-1 are in data.train too" in warning
    record = tmp_path / "run" / run_folder.TRAINED_ON
    recorded = run_folder.read_trained_on(tmp_path / "run")
    assert recorded == TrainedOn.of([recipe.mask], *[find(here / "examples", 1)] * 2)
    assert [*recorded.training.values()] == ["scan-0", "scan-1"]

    record.unlink()
    assert run_folder.read_trained_on(tmp_path / "run").version == 1
    say("train", "--resume", tmp_path / "run")
    assert run_folder.read_trained_on(tmp_path / "run") == recorded

    more = example_files(tmp_path / "more", scans=1, first=5)
    grown = ["train", "--start", tmp_path / "run", "--grow", 1, "--out", tmp_path / "grown"]
    say(*grown, "--data.train", more, "--data.validation", "None", "--mask.kind", "random")
    after = run_folder.read_trained_on(tmp_path / "grown")
    assert set(after.training.values()) == {"scan-0", "scan-1", "scan-5"}
    assert after.masks == ("equispaced", "random")


def made_by(version: int | None, folder: Path, name: str) -> None:
    """Have an example be of another version; the first did not say which."""
    with h5py.File(folder / f"{name}.h5", "a") as file:
        header = json.loads(file.attrs["header"])
        header.pop("version", None)
        if version is None:
            header.pop("warnings", None)
        else:
            header["version"] = version
        header["fingerprint"] = f"of version {version}"
        file.attrs["header"] = json.dumps(header)


def test_examples_of_other_versions_are_named(here: Path, tmp_path: Path, say: Say) -> None:
    examples = example_files(tmp_path, scans=2)
    recipes.save(tiny_recipe(examples, steps=1), tmp_path / "recipe.yaml")
    train = ["train", tmp_path / "recipe.yaml", "--data.validation", "None", "--out"]
    made_by(None, examples, "scan-1")
    (line,) = say(*train, tmp_path / "mixed", code=2)
    assert f"scan-1.h5: was made by version 1 of preparation, but {examples}/scan-0.h5 by" in line
    assert not (tmp_path / "mixed").exists()

    made_by(None, examples, "scan-0")
    (line,) = say(*train, tmp_path / "old")
    again = "prepare the scans again with `gleam prepare --force` (docs/versions.md)"
    old = f"was made by version 1 of preparation, this is version {VERSION}; {again}"
    assert line == f"gleam: warning: {examples}: {old}"
    scored = ["--data", examples, "--out", tmp_path / "report"]
    both = say("evaluate", here / "on 2D slices", *scored)
    assert both[0] == f"gleam: warning: --data: {old}"
    assert f"scans prepared by version {VERSION}, and this is version 1" in both[1]
    now = ["reconstruct", tmp_path / "old", here / "2D slices.cfl", "-o", tmp_path / "x.npy"]
    (line,) = say(*now, "--acceleration", 1.6)
    assert f"scans prepared by version 1, and this is version {VERSION}" in line

    made_by(VERSION + 1, examples, "scan-0")
    (line,) = say(*train, tmp_path / "later", code=2)
    assert f"scan-0.h5: was made by version {VERSION + 1} of preparation, this program" in line

    say("prepare", tmp_path / "scans", examples, code=2)
    assert say("prepare", tmp_path / "scans", examples, "--force") == []
    assert {one.header.version for one in find(examples, 1)} == {VERSION}
