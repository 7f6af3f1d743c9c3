"""Training without targets: modules learn to predict samples that are held out of their scans."""

import math
import shutil
from pathlib import Path

import h5py
import pytest
import torch
from ends import assert_same_end
from tiny import every_second_line, prepared, tiny_recipe, tiny_scan, undersampled

from gleam.data.example import find, write
from gleam.errors import BadInput
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import Recipe
from gleam.runs import checkpoint
from gleam.runs import folder as run_folder
from gleam.runs.assembly import training_batches
from gleam.runs.data import find_data
from gleam.runs.initial import initial
from gleam.runs.run import Run
from gleam.runs.train import train


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Undersampled by the scanner, so that there is no target to be read."""
    folder = tmp_path_factory.mktemp("undersampled")
    for seed in range(2):
        scan = tiny_scan(seed=seed, name=f"scan-{seed}", oversampling=1)
        keep = every_second_line()
        write(prepared(undersampled(scan, keep), calibration=6), folder / f"{seed}.h5")
    return folder


@pytest.fixture
def recipe(scans: Path) -> Recipe:
    return tiny_recipe(scans, target="kspace", steps=6)


def quality(folder: Path) -> list[float]:
    return [row.value for row in run_folder.read_metrics(folder) if row.metric == "prediction"]


@pytest.mark.parametrize(
    "change",
    [{}, {"modules": 1}, {"modules": 1, "storage": "checkpoint"}, {"overlap": 1}],
    ids=["greedy", "end-to-end", "checkpoint", "overlap"],
)
def test_scans_without_a_target_are_learnt_from_and_resume(
    recipe: Recipe, tmp_path: Path, change: dict[str, object]
) -> None:
    recipe = recipe.changed(training=change)
    train(recipe, tmp_path / "run", quiet=True)
    summary = run_folder.read_summary(tmp_path / "run")
    assert math.isfinite(summary["best_validation_prediction_db"])
    assert len(quality(tmp_path / "run")) == 2 * 3
    shutil.copytree(tmp_path / "run", tmp_path / "cut")
    shutil.rmtree(checkpoint.found(tmp_path / "cut/checkpoints")[-1])
    train(recipe, tmp_path / "cut", resume=True, quiet=True)
    assert_same_end(tmp_path / "cut", tmp_path / "run")


def test_it_learns_to_predict_what_it_was_not_given(recipe: Recipe, tmp_path: Path) -> None:
    longer = recipe.changed(
        training={"steps": 60, "learning_rate": 3e-3, "validate_every": 10},
        data={"batch": 2},
    )
    train(longer, tmp_path / "run", quiet=True)
    last = quality(tmp_path / "run")[2::3]
    assert max(last[3:]) > last[0] + 0.3


def test_of_scans_that_are_not_validated_all_samples_are_learnt(
    recipe: Recipe, scans: Path, tmp_path: Path
) -> None:
    def seen(recipe: Recipe) -> torch.Tensor:
        """The samples that several steps are given, or predict."""
        batches = training_batches(find(scans)[:1], recipe, initial(recipe))
        several = [batches.at(step) for step in range(4)]
        masks = (mask for b in several for mask in (b.measurement.mask, b.heldout.sense.mask))
        return torch.cat([*masks]).any(0)

    also, other = recipe, recipe.changed(data={"validation": tmp_path})
    assert recipe.data.train == recipe.data.validation
    assert seen(other).sum() == find(scans)[0].sampled.sum() > seen(also).sum()
    assert seen(recipe.changed(data={"validation": None})).sum() == seen(other).sum()


def test_scans_that_are_learnt_whole_and_validated_too_are_said(
    recipe: Recipe, tmp_path: Path
) -> None:
    scan = undersampled(tiny_scan(name="scan", oversampling=1), every_second_line())
    write(Prepared(scan, Settings(calibration=6), sha256="a" * 64), tmp_path / "one" / "scan.h5")
    shutil.copytree(tmp_path / "one", tmp_path / "copied")
    recipe = recipe.changed(data={"train": tmp_path / "one", "validation": tmp_path / "one"})
    assert not [*find_data(recipe).doubts()]
    (doubt,) = find_data(recipe.changed(data={"validation": tmp_path / "copied"})).doubts()
    assert "are in data.train too" in doubt[1]


def test_no_target_is_read(recipe: Recipe, tmp_path: Path) -> None:
    """Also of scans that have one."""
    data = tmp_path / "data"
    write(prepared(tiny_scan(name="complete"), calibration=6), data / "complete.h5")
    complete = recipe.changed(data={"train": data, "validation": data})
    train(complete, tmp_path / "one", quiet=True)
    spoilt = tmp_path / "spoilt"
    shutil.copytree(data, spoilt)
    with h5py.File(spoilt / "complete.h5", "r+") as file:
        file["target"][...] = complex(float("nan"))
    train(
        complete.changed(data={"train": spoilt, "validation": spoilt}),
        tmp_path / "other",
        quiet=True,
    )
    assert_same_end(tmp_path / "one", tmp_path / "other")


def test_images_and_samples_are_learnt_side_by_side(
    recipe: Recipe, scans: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    write(prepared(tiny_scan(name="complete"), calibration=6), data / "complete.h5")
    (data / "undersampled.h5").write_bytes((scans / "0.h5").read_bytes())
    mixed = recipe.changed(data={"train": data, "validation": data}, training={"target": "mixed"})
    train(mixed, tmp_path / "run", quiet=True)
    losses = [
        row.value for row in run_folder.read_metrics(tmp_path / "run") if row.metric == "loss"
    ]
    assert torch.tensor(losses).isfinite().all()


def test_a_run_that_becomes_no_better_than_its_start_keeps_that(
    recipe: Recipe, tmp_path: Path
) -> None:
    train(recipe.changed(training={"steps": 12}), tmp_path / "start", quiet=True)
    harmful = recipe.changed(training={"start": tmp_path / "start", "learning_rate": 0.5})
    train(harmful, tmp_path / "worse", quiet=True)
    summary = run_folder.read_summary(tmp_path / "worse")
    assert summary["best_validation_prediction_db"] < summary["validation_before_db"]
    before, after = (Run(tmp_path / name).network.state_dict() for name in ("start", "worse"))
    assert all(weight.equal(after[name]) for name, weight in before.items())


def test_a_scan_without_a_target_is_refused_where_its_image_is_to_be_learnt(
    recipe: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"training\.target: kspace"):
        train(recipe.changed(training={"target": "image"}), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_validation_without_a_guard_has_nothing_to_predict(recipe: Recipe) -> None:
    none = recipe.changed(training={"holdout": {"guard": 0}})
    with pytest.raises(BadInput, match=r"training\.holdout\.guard: is 0"):
        find_data(none)
    find_data(none.changed(data={"validation": None}))
