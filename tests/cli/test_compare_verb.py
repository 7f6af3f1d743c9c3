import json
from pathlib import Path

import pytest
import yaml
from tiny import example_files, tiny_recipe

from gleam.cli import main


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("made")
    examples = example_files(here, scans=2)
    unseen = example_files(here / "unseen", scans=2, first=10)
    values = tiny_recipe(examples, steps=2).model_dump(mode="json")
    schemes = {"greedy": {}, "end-to-end": {"training": {"modules": 1}}, "again": {}}
    values["compare"] = {"schemes": schemes, "test": {"simulated": str(unseen)}, "seeds": 2}
    (here / "recipe.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    return here / "recipe.yaml"


def test_compare_goes_the_whole_way_and_names_its_report(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "comparison"
    chosen = ["--schemes", "end-to-end", "--seeds", "1", "--training.steps", "1"]
    command = ["compare", str(recipe), "--out", str(out), *chosen]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"report: {out / 'report.html'}"
    assert {path.name for path in out.iterdir()} == {
        "comparison.yaml", "costs.json", "runs", "scores-simulated.csv", "summary.json",
        "report.html",
    }  # fmt: skip
    assert main([*command, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads((out / "summary.json").read_text())
    assert [*said["schemes"]] == ["greedy", "end-to-end"]
    assert all((one["steps"], one["seeds"]) == (1, 1) for one in said["schemes"].values())


def test_other_test_sets_can_be_named(recipe: Path, tmp_path: Path) -> None:
    examples = str(recipe.parent / "unseen" / "examples")
    chosen = ["--schemes", "greedy", "--seeds", "1", "--test", examples]
    assert main(["compare", str(recipe), "--out", str(tmp_path / "out"), *chosen]) == 0
    assert (tmp_path / "out" / "scores-examples.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "compare: say which schemes, with a recipe"),
        (["RECIPE", "--workers", "0"], "--workers and --seeds are 1 or more"),
        (["RECIPE", "--schemes", "gredy"], "gredy: no such scheme; did you mean greedy?"),
        (["RECIPE", "--scheme", "greedy"], "--scheme: no such option; did you mean --schemes?"),
        (["RECIPE", "--test", "nowhere"], "nowhere: does not exist"),
        (["nowhere.yaml"], "nowhere.yaml: cannot be read as a recipe"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(
    arguments: list[str], said: str, recipe: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    given = [str(recipe) if argument == "RECIPE" else argument for argument in arguments]
    assert main(["compare", *given, "--out", str(tmp_path / "out")]) == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1
    assert not (tmp_path / "out" / "runs").exists()


def test_a_dry_run_needs_no_data_and_names_the_scheme_that_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    values = tiny_recipe(Path("no/examples")).model_dump(mode="json")
    values["compare"] = {"schemes": {"whole": {"training": {"modules": 1}}, "greedy": {}}}
    Path("recipe.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    assert main(["compare", "recipe.yaml", "--dry-run"]) == 0
    *schemes, missing = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in schemes] == ["whole", "greedy"]
    assert "2D slices" in schemes[1]
    assert "modules of 2, 1" in schemes[1]
    assert missing == ("not there yet: data.train (no/examples), data.validation (no/examples)")
    values["mask"] = {"kind": "poisson", "acceleration": 1, "shutter": True}
    Path("recipe.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    assert main(["compare", "recipe.yaml", "--dry-run"]) == 2
    line = capsys.readouterr().err
    assert "compare.schemes.whole" in line
    assert "in the shutter" in line
    assert line.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]
