"""What verbs compute on a GPU lies there: on a GPU that is none, so on any machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pretended import GPU, pretended
from tiny import example_files, tiny_recipe

from gleam import recipe as recipes
from gleam.cli import main
from gleam.formats import write_scan
from gleam.preparation import jobs
from gleam.preparation.prepare import Settings
from gleam.recipe import Recipe
from gleam.runs.folder import best_validation
from gleam.runs.run import Run
from gleam.simulation import simulate_scan

SHAPES = {"slices": (24, 20), "series": (24, 20), "volumes": (24, 20, 16)}
LIVELY: dict[str, Any] = {"kind": "kt-random", "acceleration": 1.6}
DEEP: dict[str, Any] = {"dimensions": 3, "width": 4}


@dataclass(frozen=True)
class Place:
    """Scans of a kind, and examples made of them."""

    kind: str
    scan: Path
    examples: Path

    def recipe(self, **parts: Mapping[str, Any]) -> Recipe:
        short = {"steps": 2, "validate_every": 2, "checkpoint_every": 2, "graph": "never"}
        return tiny_recipe(self.examples, **short).changed(**parts)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Place]:
    made = {}
    for kind, shape in SHAPES.items():
        folder = tmp_path_factory.mktemp(kind)
        frames, slices = (6 if kind == "series" else 1), (2 if kind == "slices" else 1)
        scan = simulate_scan(shape, 3, slices, 50.0, 0, 1, "one", frames=frames)
        made[kind] = Place(kind, folder / "one.cfl", folder)
        write_scan(scan, made[kind].scan)
        (source,) = jobs.find_scans([folder])
        (outcome,) = jobs.prepare_one(source, folder, Settings(8))
        assert outcome.status == "prepared"
    return made


def on_gpu(*words: object) -> None:
    with pretended():
        assert main([str(word) for word in (*words, "--device", "cuda")]) == 0


def test_what_is_left_behind_is_found() -> None:
    """Else these tests could not fail."""
    with pretended():
        here, there = torch.arange(3.0), torch.arange(3.0).to("cuda")
        assert there.device == GPU
        assert (2 * there + there[:1])[torch.tensor([2])].tolist() == [4]
        torch.testing.assert_close(there.cpu(), here)
        with pytest.raises(RuntimeError, match="two devices"):
            here + there
        with pytest.raises(RuntimeError, match="two devices"):
            torch.where(there > 1, there, here)
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()


TRAININGS: dict[str, tuple[str, dict[str, Any]]] = {
    "as it is": ("slices", {}),
    "checkpoint": ("slices", {"training": {"storage": "checkpoint"}}),
    "offload": ("slices", {"training": {"storage": "offload"}}),
    "patience": ("slices", {"training": {"patience": 1}}),
    "from k-space": ("slices", {"training": {"target": "kspace"}}),
    "maps on the host": ("slices", {"training": {"target": "kspace", "maps": "host"}}),
    "overlap": ("slices", {"training": {"overlap": 1}}),
    "undone": (
        "slices",
        {
            "training": {"storage": "invert"},
            "network": {"family": "pgd", "regulariser": {"coupling": True}},
        },
    ),
    "reversible": (
        "slices",
        {"training": {"storage": "invert"}, "network": {"family": "reversible"}},
    ),
    "patches": ("slices", {"network": {"family": "pgd", "patch": [12, 12]}}),
    "tolerance": ("slices", {"network": {"cg_tolerance": 1e-3}}),
    "U-Net": (
        "slices",
        {"network": {"regulariser": {"kind": "unet", "inputs": ["gradient", "change"]}}},
    ),
    "wavelets first": ("slices", {"network": {"first_image": "wavelet"}}),
    "bfloat16": ("slices", {"network": {"regulariser": {"bf16": True}}}),
    "stages": ("slices", {"training": {"stages": [{"iterations": 4, "steps": 2}]}}),
    "volumes": ("volumes", {"network": {"regulariser": DEEP}}),
    "slabs": ("volumes", {"data": {"slab": 8}, "network": {"regulariser": DEEP}}),
    "volumes as slices": ("volumes", {"data": {"volumes": "slices"}}),
    "series": (
        "series",
        {"network": {"first_image": "sliding-window", "regulariser": DEEP}, "mask": LIVELY},
    ),
}
QUICK = ("as it is", "checkpoint", "maps on the host", "undone", "U-Net", "slabs", "series")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in TRAININGS],
)
def test_training(name: str, places: dict[str, Place], tmp_path: Path) -> None:
    """Validation finds what it finds on the CPU: the same kernels compute. (Weights differ where a
    gradient is next to nothing: Adam takes its sign.)"""
    kind, parts = TRAININGS[name]
    recipe, file = places[kind].recipe(**parts), tmp_path / "recipe.yaml"
    recipes.save(recipe, file)
    on_gpu("train", file, "--out", tmp_path / "there")
    assert main(["train", str(file), "--out", str(tmp_path / "here"), "--device", "cpu"]) == 0
    there, here = (best_validation(Run(tmp_path / place).summary) for place in ("there", "here"))
    assert here is not None
    assert there == pytest.approx(here, abs=0.02)


def test_training_goes_on(places: dict[str, Place], tmp_path: Path) -> None:
    recipes.save(places["slices"].recipe(), tmp_path / "recipe.yaml")
    on_gpu("train", tmp_path / "recipe.yaml", "--out", tmp_path / "run")
    longer = recipes.load(tmp_path / "run" / "recipe.yaml").changed(training={"steps": 4})
    recipes.save(longer, tmp_path / "run" / "recipe.yaml")
    on_gpu("train", "--resume", tmp_path / "run")
    assert Run(tmp_path / "run").summary["steps"] == 4


METHODS = {
    "slices": ("cg-sense", "wavelet"),
    "series": ("sliding-window", "temporal-tv", "low-rank"),
    "volumes": ("cg-sense", "wavelet"),
}


@pytest.mark.parametrize(
    ("kind", "method"), [(kind, method) for kind, several in METHODS.items() for method in several]
)
def test_methods_without_learning(
    kind: str, method: str, places: dict[str, Place], tmp_path: Path
) -> None:
    words = ("reconstruct", method, places[kind].scan, "--acceleration", 1.6, "-o")
    on_gpu(*words, tmp_path / "there.npy")
    here = [*map(str, words), str(tmp_path / "here.npy"), "--device", "cpu"]
    assert main(here) == 0
    there, here_too = (np.load(tmp_path / f"{place}.npy") for place in ("there", "here"))
    np.testing.assert_allclose(there, here_too, rtol=0, atol=1e-4 * np.abs(here_too).max())


@pytest.fixture(scope="module")
def nets(places: dict[str, Place], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of each kind of scans."""
    runs = {}
    for kind, place in places.items():
        parts: dict[str, Any] = {} if kind == "slices" else {"network": {"regulariser": DEEP}}
        folder = tmp_path_factory.mktemp(f"net-{kind}")
        recipe = place.recipe(**parts, **({"mask": LIVELY} if kind == "series" else {}))
        recipes.save(recipe, folder / "recipe.yaml")
        runs[kind] = folder / "run"
        assert main(["train", str(folder / "recipe.yaml"), "--out", str(runs[kind])]) == 0
    return runs


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize(
    "options", [(), ("--check",), ("--adapt", "--steps", 2)], ids=["alone", "check", "adapt"]
)
def test_networks(
    kind: str,
    options: tuple[object, ...],
    places: dict[str, Place],
    nets: dict[str, Path],
    tmp_path: Path,
) -> None:
    words = ("reconstruct", nets[kind], places[kind].scan, "-o", tmp_path / "image.npy")
    on_gpu(*words, "--acceleration", 1.6, "--force", *options)
    assert np.isfinite(np.load(tmp_path / "image.npy")).all()


def test_a_network_of_slices_reconstructs_a_volume(
    places: dict[str, Place], nets: dict[str, Path], tmp_path: Path
) -> None:
    image = tmp_path / "image.npy"
    words = ("reconstruct", nets["slices"], places["volumes"].scan, "-o", image, "--force")
    on_gpu(*words, "--acceleration", 1.6)
    assert image.exists()


@pytest.mark.parametrize("kind", SHAPES)
def test_evaluation(
    kind: str, places: dict[str, Place], nets: dict[str, Path], tmp_path: Path
) -> None:
    words = ("evaluate", nets[kind], "--data", places[kind].examples, "--out", tmp_path, "--force")
    on_gpu(*words, *(["--check"] if kind == "slices" else []))


@pytest.mark.slow
@pytest.mark.parametrize("option", [("--grow", 2), ("--grow", 2, "--copy"), ("--polish", 2)])
def test_a_run_is_made_deeper(
    option: tuple[object, ...], nets: dict[str, Path], tmp_path: Path
) -> None:
    on_gpu("train", "--start", nets["slices"], *option, "--out", tmp_path / "run")


@pytest.mark.slow
def test_a_comparison(places: dict[str, Place], tmp_path: Path) -> None:
    recipes.save(places["slices"].recipe(), tmp_path / "recipe.yaml")
    words = ("compare", tmp_path / "recipe.yaml", "--out", tmp_path / "out", "--seeds", 1)
    on_gpu(
        *words,
        "--test",
        example_files(tmp_path / "test", 1, 5),
        "--schemes",
        "greedy",
        "checkpoint",
    )
