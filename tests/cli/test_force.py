"""What is there is replaced only where the user says so, in every verb."""

from pathlib import Path

import pytest
import yaml
from test_bad_input import tree
from tiny import (
    every_second_line,
    example_files,
    tiny_recipe,
    tiny_scan,
    trained_on,
    undersampled,
)

from gleam import recipe as recipes
from gleam.cli import main
from gleam.formats import write_scan
from gleam.networks import build
from gleam.runs import folder as run_folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("made")
    examples = example_files(here, scans=1)
    recipe = tiny_recipe(examples, steps=1)
    recipes.save(recipe, here / "recipe.yaml")
    run_folder.begin(here / "run", recipe, "data", trained_on(recipe))
    run_folder.save_model(here / "run", build(recipe.network).state_dict())
    few = undersampled(tiny_scan((24, 40)), every_second_line(40))
    write_scan(few, here / "few" / "few.h5")
    return here


MASK = ["--mask.acceleration", "2"]


# What is there, and what would be written there.
COMMANDS: dict[str, tuple[str, list[str]]] = {
    "simulate": ("scan-0000.h5", ["simulate", "OUT", "--scans", "1", "--shape", "16", "16"]),
    "inspect": ("picture.png", ["inspect", "MADE/scans/scan-0.h5", "-o", "OUT/picture.png"]),
    "image": ("i.npy", ["reconstruct", "zero-filled", "MADE/scans/scan-0.h5", "-o", "OUT/i.npy"]),
    "BART": ("i.hdr", ["reconstruct", "zero-filled", "MADE/scans/scan-0.h5", "-o", "OUT/i.cfl"]),
    "DICOM": (
        "series/0001.dcm",
        ["reconstruct", "zero-filled", "MADE/scans/scan-0.h5", "-o", "OUT/series"],
    ),
    "train": ("recipe.yaml", ["train", "MADE/recipe.yaml", "--out", "OUT"]),
    "evaluate": (
        "summary.json",
        ["evaluate", "MADE/run", "--data", "MADE/examples", "--out", "OUT"],
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_there(
    name: str, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there, line = COMMANDS[name]
    command = [word.replace("MADE", str(made)).replace("OUT", str(tmp_path)) for word in line]
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("{}")
    (tmp_path / "letter.txt").write_text("somebody's")
    before = tree(tmp_path)
    assert main(command) == 2
    err = capsys.readouterr().err
    assert "replace it with --force, or " in err
    assert err.count("\n") == 1
    assert tree(tmp_path) == before
    assert main([*command, "--force"]) == 0
    assert (tmp_path / there).read_bytes() != b"{}"
    assert (tmp_path / "letter.txt").read_text() == "somebody's"


# What would be written beside what the user names.
BESIDE: dict[str, tuple[str, list[str]]] = {
    "check": (
        "i.check.json",
        ["reconstruct", "zero-filled", "MADE/few/few.h5", "-o", "OUT/i.npy", "--check"],
    ),
    "check of a folder": (
        "few.check.json",
        ["reconstruct", "zero-filled", "MADE/few", "-o", "OUT", "--check"],
    ),
    "report": (
        "report.html",
        ["evaluate", "MADE/run", "--data", "MADE/examples", "--out", "OUT"],
    ),
    "table": (
        "scans.csv",
        ["evaluate", "MADE/run", "--data", "MADE/examples", "--out", "OUT"],
    ),
    "checks": (
        "check.json",
        ["evaluate", "--data", "MADE/examples", "--out", "OUT", "--check", *MASK],
    ),
    "summary of a run": (
        "summary.json",
        ["report", "MADE/run", "--data", "MADE/examples", "--out", "OUT"],
    ),
    "comparison": (
        "summary.json",
        ["compare", "MADE/recipe.yaml", "--test", "MADE/examples", "--out", "OUT"],
    ),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_is_there_beside_it(
    name: str, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there, line = BESIDE[name]
    command = [word.replace("MADE", str(made)).replace("OUT", str(tmp_path)) for word in line]
    (tmp_path / there).write_text("{}")
    assert main(command) == 2
    said = capsys.readouterr()
    assert f"{there}: is there already" in said.out + said.err
    assert "replace it with --force" in said.out + said.err
    left = tree(tmp_path)
    left.pop(tmp_path / "manifest.jsonl", None)  # says why an image of a folder is not there
    assert left == {tmp_path / there: b"{}"}


def test_examples_made_otherwise(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["prepare", str(made / "scans"), str(tmp_path)]
    assert main(command) == 0
    assert main(command) == 0  # the same goes on
    example = (tmp_path / "scan-0.h5").read_bytes()
    assert main([*command, "--calibration", "6"]) == 2
    assert "with other settings or by another version; replace it with" in capsys.readouterr().out
    assert (tmp_path / "scan-0.h5").read_bytes() == example
    assert main([*command, "--calibration", "6", "--force"]) == 0
    assert (tmp_path / "scan-0.h5").read_bytes() != example


def test_home_is_home_in_arguments_and_recipes(
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(made))
    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load((made / "recipe.yaml").read_text())
    values["data"] |= {"train": "~/examples", "validation": "~/examples"}
    (tmp_path / "home.yaml").write_text(yaml.safe_dump(values))
    assert main(["train", "home.yaml", "--out=~/new"]) == 0
    assert run_folder.load_recipe(made / "new").data.train == made / "examples"
    assert main(["train", "~/recipe.yaml", "--out", "~/other", "--data.train", "~/examples"]) == 0
    assert list(tmp_path.iterdir()) == [tmp_path / "home.yaml"]


def test_recipe_of_another_verb(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "schemes.yaml"
    file.write_text("compare: {schemes: {greedy: {}}}")
    assert main(["train", str(file), "--out", str(tmp_path / "run")]) == 2
    assert f"run it with: gleam compare {file}" in capsys.readouterr().err
    assert main(["compare", str(made / "recipe.yaml"), "--dry-run"]) == 0
    assert "lists no schemes, so its rivals are: greedy, end-to-end" in capsys.readouterr().err
    file.write_text("{compare: {schemes: {greedy: {}}}, recipes: {}}")
    assert main(["compare", str(file), "--dry-run"]) == 2
    assert "is what a comparison wrote down" in capsys.readouterr().err
