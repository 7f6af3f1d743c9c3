"""A reader's folder: the files that pages speak of without making them, small."""

from pathlib import Path

import numpy as np
import torch
from shelves import put
from tiny import every_second_line, example_files, tiny_recipe, tiny_scan, undersampled
from torch import nn
from vendors import write_all

import gleam
from gleam import recipe as recipes
from gleam.formats import write_scan

ROOT = Path(__file__).parents[2]
SHAPE = (32, 48)
SHELF = "shelf"  # of networks that ship, which are as small as all else here


def furnish(folder: Path) -> Path:
    """Put them there."""
    for name in ("recipes", "examples"):
        (folder / name).symlink_to(ROOT / name)
    for seed, name in enumerate(("train", "validation", "test", "brains")):
        made = example_files(
            folder / "made" / name, scans=2, first=10 * seed, shape=SHAPE, slices=1
        )
        (folder / "scans").mkdir(exist_ok=True)
        (folder / "prepared").mkdir(exist_ok=True)
        (folder / "made" / name / "scans").rename(folder / "scans" / name)
        made.rename(folder / "prepared" / name)
    scan = tiny_scan(SHAPE, name="scan", seed=99)
    write_scan(scan, folder / "scan.h5")
    write_scan(scan, folder / "prescan.h5")
    keep = np.arange(SHAPE[1]) % 3 == 0  # no centre: it needs a reference
    write_scan(undersampled(scan, keep[None, None]), folder / "sparse.h5")
    lines = every_second_line(SHAPE[1])
    write_scan(undersampled(scan, lines), folder / "undersampled/scan.h5")
    few = undersampled(tiny_scan((16, 24, 20), 1), every_second_line()[:, None])
    write_scan(few, folder / "few/scan.cfl")
    put(folder / SHELF, name="gleam-2d")
    write_all(folder)
    rng = np.random.default_rng(0)
    np.save(folder / "noise.npy", rng.normal(size=(3, 256)) + 1j * rng.normal(size=(3, 256)))
    recipe = tiny_recipe(Path("prepared/train")).changed(
        data={"validation": "prepared/validation"}, mask={"acceleration": 4}
    )
    recipes.save(recipe, folder / "recipe.yaml")
    gleam.train(folder / "recipe.yaml", folder / "runs/greedy", quiet=True)
    gleam.prepare(gleam.load(folder / "heart.h5")).save(folder / "prepared/hearts/heart.h5")
    hearts = recipe.changed(
        data={"train": "prepared/hearts", "validation": None}, mask={"acceleration": 2}
    )
    gleam.train(hearts, folder / "runs/cine", quiet=True)
    for name in ("multicoil_test/file1000001.h5", "AccFactor04/P001/cine_sax.mat"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).symlink_to(folder / Path(name).name)
    for subject in range(10):
        path = folder / f"cohort/sub-{subject:03}/brain-{subject}.h5"
        path.parent.mkdir(parents=True)
        write_scan(tiny_scan(slices=1, seed=subject, name=path.stem), path)
    return folder


def readers_own() -> dict[str, object]:
    """What pages leave to their reader: a network, its data and a loss."""
    net = nn.Module()
    net.cascades = nn.ModuleList(nn.Conv2d(2, 2, 3, padding=1) for _ in range(8))
    batch = torch.randn(1, 2, 8, 8), None, torch.randn(1, 2, 8, 8)
    return {"net": net, "loader": [batch], "loss": nn.functional.l1_loss}
