"""Every verb refuses a recipe, or a run, that names a module which it was not told to trust.

Before anything is imported, and before anything is written.
"""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny import example_files, tiny_recipe, tiny_scan

from gleam import recipe as recipes
from gleam.cli import main
from gleam.formats import write_scan
from gleam.recipe import Recipe


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe file and a run that name a module which says so when it is imported."""
    (tmp_path / "strange.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "strange", raising=False)
    recipe = Recipe.model_validate(
        {
            "network": {"family": "python", "build": "strange:build", "iterations": 2},
            "training": {"modules": 2},
        }
    )
    (tmp_path / "run").mkdir()
    recipes.save(recipe, tmp_path / "recipe.yaml")
    recipes.save(recipe, tmp_path / "run" / "recipe.yaml")
    save_file({"iterations.0.weight": torch.zeros(1)}, tmp_path / "run" / "model.safetensors")
    write_scan(tiny_scan(slices=1), tmp_path / "scan.h5")
    return tmp_path


VERBS = {
    "train": ("train", "recipe.yaml", "--out", "out"),
    "train, dry": ("train", "recipe.yaml", "--dry-run"),
    "train, on two devices": ("train", "recipe.yaml", "--out", "out", "--devices", "2"),
    "train, resumed": ("train", "--resume", "run"),
    "train, grown": ("train", "--start", "run", "--grow", "1", "--out", "out"),
    "train, polished": ("train", "--start", "run", "--polish", "1", "--out", "out"),
    "train, named on the command line": (
        "train", "--network.family", "python", "--network.build", "strange:build",
        "--out", "out",
    ),
    "compare": ("compare", "recipe.yaml", "--out", "out"),
    "compare, dry": ("compare", "recipe.yaml", "--dry-run"),
    "evaluate": ("evaluate", "run", "--data", "scan.h5", "--out", "out"),
    "report": ("report", "run", "--data", "scan.h5", "--out", "out"),
    "view": ("view", "scan.h5", "--method", "run", "--out", "out.html"),
    "check": ("check", "scan.h5", "run", "--out", "out.json"),
    "reconstruct": ("reconstruct", "run", "scan.h5", "--out", "out.npy"),
    "serve": ("serve", "run", "--port", "0"),
}  # fmt: skip


@pytest.mark.parametrize("trusted", [[], ["--trust", "stranger"], ["--trust=other.strange"]])
@pytest.mark.parametrize("words", VERBS.values(), ids=VERBS)
def test_every_verb_refuses(
    strange: Path,
    words: tuple[str, ...],
    trusted: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = {p: p.read_bytes() for p in strange.rglob("*") if p.is_file()}
    placed = [str(strange / word) if (strange / word).exists() else word for word in words]
    placed = [str(strange / word) if word.startswith("out") else word for word in placed]
    assert main([*placed, *trusted]) == 2
    said = capsys.readouterr().err
    assert "strange:build: would run code of strange" in said
    assert "--trust strange" in said
    *_, last = said.splitlines()
    assert last.startswith("gleam: ")
    assert "Traceback" not in said
    assert "strange" not in sys.modules
    assert {p: p.read_bytes() for p in strange.rglob("*") if p.is_file()} == before


def test_a_network_of_a_trusted_module_goes_the_whole_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trained greedily, gone on with, evaluated, and used."""
    data = example_files(tmp_path, 2)
    recipe = tiny_recipe(data, modules=3, steps=2, validate_every=1, checkpoint_every=1).changed(
        network={
            "family": "python", "build": "mynet:Everything", "cg_steps": 5,
            "regulariser": {"width": 32, "blocks": 2},
        }
    )  # fmt: skip
    recipes.save(recipe, tmp_path / "recipe.yaml")
    run, trust = tmp_path / "run", ["--trust", "mynet"]
    assert main(["train", str(tmp_path / "recipe.yaml"), "--out", str(run), *trust]) == 0
    grown = tmp_path / "grown"
    assert main(["train", "--start", str(run), "--grow", "1", "--out", str(grown), *trust]) == 0
    results = ["--data", str(data), "--out", str(tmp_path / "results"), "--force"]
    assert main(["evaluate", str(grown), *results, *trust]) == 0
    scan = str(tmp_path / "scans" / "scan-0.h5")
    image = tmp_path / "image.npy"
    assert main(["reconstruct", str(grown), scan, "-o", str(image), *trust]) == 0
    assert image.is_file()
    capsys.readouterr()
    assert main(["reconstruct", str(grown), scan, "-o", str(tmp_path / "no.npy")]) == 2
    assert "mynet:Everything: would run code of mynet" in capsys.readouterr().err
