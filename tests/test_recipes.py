"""Every recipe of the repository passes a dry run."""

import json
from pathlib import Path

import pytest

from gleam import recipe as recipes
from gleam.cli import main
from gleam.comparison import plan as plans

FOLDER = Path(__file__).parents[1] / "recipes"
FILES = {str(path.relative_to(FOLDER)): path for path in sorted(FOLDER.rglob("*.yaml"))}
COMPARING = {name: path for name, path in FILES.items() if "compare" in recipes.read(path)}
# The study's are of the same kinds as others.
RUN = [name for name in FILES if not name.startswith("study/")]


@pytest.mark.parametrize("name", COMPARING)
def test_every_scheme_is_a_recipe(name: str) -> None:
    plan = plans.make(*plans.read(COMPARING[name]))
    assert [*plan.recipes] == [*plan.compare.schemes]


@pytest.mark.parametrize("name", RUN)
def test_every_recipe_passes_a_dry_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its first scheme."""
    schemes: list[str] = []
    if name in COMPARING:
        _, compare = plans.read(COMPARING[name])
        schemes = ["--schemes", next(iter(compare.schemes))]
    dry_run(name, tmp_path, monkeypatch, capsys, *schemes)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPARING)
def test_every_scheme_passes_a_dry_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dry_run(name, tmp_path, monkeypatch, capsys)


def dry_run(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *options: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    verb = "compare" if name in COMPARING else "train"
    assert main([verb, str(FILES[name]), "--dry-run", "--json", *options]) == 0
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
