"""Every recipe of the repository passes a dry run."""

import json
from pathlib import Path

import pytest

from gleam import recipe as recipes
from gleam.cli import main

FOLDER = Path(__file__).parents[1] / "recipes"
FILES = {str(path.relative_to(FOLDER)): path for path in sorted(FOLDER.rglob("*.yaml"))}
# The study's compare many schemes of few kinds: `make test-all` tries them.
RUN = [
    pytest.param(path, id=name, marks=[pytest.mark.slow] if name.startswith("study/") else [])
    for name, path in FILES.items()
]


@pytest.mark.parametrize("path", RUN)
def test_every_recipe_passes_a_dry_run(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    verb = "compare" if "compare" in recipes.read(path) else "train"
    assert main([verb, str(path), "--dry-run", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert "data.train" in said["missing"]
    schemes = said["schemes"].values() if verb == "compare" else [said]
    assert all(sum(one["modules"]) == one["iterations"] for one in schemes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_every_recipe_says_how_to_get_its_data_and_run_it(path: Path) -> None:
    header = path.read_text().partition("\nseed:")[0]
    assert all(line.startswith("#") for line in header.splitlines())
    assert "gleam " in header
