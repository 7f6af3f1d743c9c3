"""What a run rests on is cited, once, and nothing else."""

import re
from pathlib import Path

import pytest
import yaml
from tiny import tiny_recipe

import gleam
from gleam import recipe as recipes
from gleam.cli import main
from gleam.cli.cite import references, used
from gleam.recipe import Recipe

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ({}, ["gleam", "modl", "espirit"]),
        ({"training": {"modules": 1}}, ["modl", "espirit"]),
        ({"training": {"modules": [16]}}, ["modl", "espirit"]),
        (
            {
                "network": {"family": "pgd", "regulariser": {"kind": "unet"}},
                "training": {"modules": 1, "storage": "checkpoint", "target": "kspace"},
            },
            ["pgd", "unet", "checkpoint", "kspace", "espirit"],
        ),
        (
            {"network": {"family": "reversible"}, "training": {"modules": 1, "storage": "invert"}},
            ["reversible", "invert", "espirit"],
        ),
        (
            {"network": {"family": "python", "build": "gleam.networks.adapters.fastmri:varnet"}},
            ["gleam", "varnet", "espirit"],
        ),
        (
            {"network": {"family": "python", "build": "mine.net:build"}},
            ["gleam", "espirit"],
        ),
    ],
)
def test_a_run_cites_what_it_uses(fields: dict[str, object], keys: list[str]) -> None:
    assert used(Recipe.model_validate(fields)) == keys


def test_without_a_run_the_software_and_the_paper(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cite"]) == 0
    out = capsys.readouterr().out
    assert re.findall(r"^@(\w+){([\w-]+),$", out, re.M) == [
        ("software", "gleam-mri"),
        ("article", "gleam"),
    ]
    assert f"version = {{{gleam.__version__}}}" in out
    assert balanced(out)


def test_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").mkdir()
    recipes.save(tiny_recipe(tmp_path), tmp_path / "run" / "recipe.yaml")
    assert main(["cite", str(tmp_path / "run")]) == 0
    assert re.findall(r"^@\w+{([\w-]+),$", capsys.readouterr().out, re.M) == [
        "gleam-mri", "gleam", "modl", "espirit",
    ]  # fmt: skip
    assert main(["cite", str(tmp_path)]) == 2
    assert "is not a run" in capsys.readouterr().err


def test_every_reference_is_whole() -> None:
    for key, work in references().items():
        assert balanced(work), key
        assert all(f"  {field} = {{" in work for field in ("title", "author", "year")), key


def balanced(text: str) -> bool:
    return text.count("{") == text.count("}") > 0


def test_the_citation_file_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == gleam.__version__
    assert citation["preferred-citation"]["title"].startswith("GLEAM: Greedy Learning")
    paper = references()["gleam"]
    for author in citation["preferred-citation"]["authors"]:
        assert f"{author['family-names']}, {author['given-names']}" in paper


def test_the_paper_cites_what_is_there() -> None:
    text = (ROOT / "paper" / "paper.md").read_text("utf-8")
    head = yaml.safe_load(text.split("---")[1])
    files = [ROOT / "paper" / name for name in head["bibliography"]]
    known = {
        key for file in files for key in re.findall(r"^@\w+{(\w+),", file.read_text("utf-8"), re.M)
    }
    cited = set(re.findall(r"@([a-z]\w+)", text))
    assert cited
    assert cited <= known
