"""Adapting a trained network to undersampled scans: the recipe, what is refused, what is kept."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import (
    every_second_line,
    example_files,
    largest_error,
    prepared,
    tiny_recipe,
    tiny_scan,
    undersampled,
)

from gleam import recipe as recipes
from gleam.data.example import ExampleFile, write
from gleam.data.slices import SlicesOf
from gleam.errors import BadInput
from gleam.formats import write_scan
from gleam.networks import build
from gleam.networks.weights import weights_of
from gleam.preparation.prepare import Settings
from gleam.recipe import HoldoutRecipe, MaskRecipe, Recipe
from gleam.reconstruction.reconstruct import reconstruct
from gleam.reconstruction.reconstructor import Trained
from gleam.runs import adaptation
from gleam.runs import folder as run_folder
from gleam.runs.adaptation import EXAMPLES, Adaptation, adapt
from gleam.runs.run import Run
from gleam.runs.stages import grown
from gleam.runs.train import train

SHORT = Adaptation(steps=2)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A greedy run of 3 iterations, in modules of 2 and 1."""
    folder = tmp_path_factory.mktemp("start")
    train(
        tiny_recipe(example_files(folder, scans=1), steps=2, loggers=()), folder / "run", quiet=True
    )
    return folder / "run"


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A raw scan file, undersampled by the scanner."""
    path = tmp_path / "few.h5"
    write_scan(undersampled(replace(tiny_scan(seed=5), name="few"), every_second_line()), path)
    return path


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(Run(folder).network.state_dict())


def changed(before: Path, after: Path) -> set[int]:
    """The iterations whose weights are others."""
    old, new = weights(before), weights(after)
    return {int(name.split(".")[1]) for name in old if not torch.equal(old[name], new[name])}


def test_a_raw_scan_becomes_a_run_like_any_other(start: Path, scan: Path, tmp_path: Path) -> None:
    folder = adapt(start, [scan], tmp_path / "own", SHORT, quiet=True)
    recipe, summary = run_folder.load_recipe(folder), run_folder.read_summary(folder)
    assert (recipe.training.target, recipe.training.start) == ("kspace", start)
    assert recipe.training.modules == 2
    assert recipe.data.train == recipe.data.validation == folder / EXAMPLES
    assert [file.name for file in recipe.data.train.iterdir()] == ["few.h5"]
    assert recipe.data.slab == 64
    assert changed(start, folder) == {0, 1, 2}
    assert math.isfinite(summary["validation_before_db"])
    assert summary["best_validation_prediction_db"] >= summary["validation_before_db"]
    assert "few" in Run(folder).trained_on.training.values()
    train(recipe, folder, resume=True, quiet=True)  # there is nothing left to do
    assert {path.name for path in tmp_path.iterdir()} == {"few.h5", "own"}


def test_it_predicts_held_out_samples_better_afterwards(
    start: Path, scan: Path, tmp_path: Path
) -> None:
    longer = Adaptation(steps=20, learning_rate=1e-2)
    folder = adapt(start, [scan], tmp_path / "own", longer, quiet=True)
    summary = run_folder.read_summary(folder)
    assert summary["best_validation_prediction_db"] > summary["validation_before_db"] + 0.02


def test_weights_between_the_runs_and_those_learnt_are_kept(
    start: Path, scan: Path, tmp_path: Path
) -> None:
    found = {}
    for share in (0.25, 1.0):
        how = replace(SHORT, holdout=HoldoutRecipe(guard=0), interpolation=share)
        folder = adapt(start, [scan], tmp_path / f"{share}", how, quiet=True)
        assert run_folder.load_recipe(folder).training.interpolation == share
        found[share] = weights(folder)
    before = weights(start)
    for name, weight in found[0.25].items():
        between = before[name] + 0.25 * (found[1.0][name] - before[name])
        torch.testing.assert_close(weight, between)
    assert changed(start, tmp_path / "0.25") == {0, 1, 2}


@pytest.mark.parametrize("modules", [1, 3])
def test_how_gradients_flow_is_said_anew(
    start: Path, scan: Path, tmp_path: Path, modules: int
) -> None:
    folder = adapt(start, [scan], tmp_path / "own", replace(SHORT, modules=modules), quiet=True)
    losses = [r.index for r in run_folder.read_metrics(folder) if (r.metric, r.step) == ("loss", 1)]
    assert losses == [*range(modules)]


def test_a_network_of_several_masks_learns_with_the_one_of_the_scan(
    tmp_path: Path, scan: Path
) -> None:
    several = [MaskRecipe(acceleration=1.5), MaskRecipe(kind="random", acceleration=1.6)]
    recipe = tiny_recipe(example_files(tmp_path, scans=1), steps=1, loggers=())
    patient = {"patience": 9}  # of a loss over many scans
    train(recipe.changed(mask=several, training=patient), tmp_path / "run", quiet=True)
    assert Run(tmp_path / "run").trained_on.accelerations == (1.5, 1.6)
    folder = adapt(tmp_path / "run", [scan], tmp_path / "own", SHORT, quiet=True)
    recipe = run_folder.load_recipe(folder)
    assert (recipe.data.masks, recipe.training.patience) == ((), None)


def test_only_the_last_modules_learn(start: Path, scan: Path, tmp_path: Path) -> None:
    folder = adapt(start, [scan], tmp_path / "own", replace(SHORT, last=1), quiet=True)
    assert changed(start, folder) == {2}
    assert "validation_before_db" in run_folder.read_summary(folder)


def test_the_last_modules_go_back_to_what_they_were_where_they_become_worse(
    start: Path, scan: Path, tmp_path: Path
) -> None:
    harmful = Adaptation(steps=3, last=1, learning_rate=1.0)
    folder = adapt(start, [scan], tmp_path / "own", harmful, quiet=True)
    summary = run_folder.read_summary(folder)
    assert summary["best_validation_prediction_db"] < summary["validation_before_db"]
    assert changed(start, folder) == set()
    assert len(Run(folder).network.iterations) == 3


def test_minutes_say_how_many_steps(start: Path, scan: Path, tmp_path: Path) -> None:
    folder = adapt(start, [scan], tmp_path / "own", Adaptation(minutes=1e-3), quiet=True)
    training = run_folder.load_recipe(folder).training
    assert training.minutes is None
    assert run_folder.read_summary(folder)["steps"] == training.steps


def test_prepared_files_pass_as_they_are(start: Path, tmp_path: Path) -> None:
    """One that no raw file was made of, and no file is written twice."""
    few = undersampled(tiny_scan(oversampling=1), every_second_line())
    for name in ("one", "other"):
        write(prepared(replace(few, name=name), calibration=6), tmp_path / f"data/{name}.h5")
    folder = adapt(start, [tmp_path / "data"], tmp_path / "own", SHORT, quiet=True)
    for file in (tmp_path / "data").iterdir():
        assert (folder / EXAMPLES / file.name).samefile(file)


def test_a_scan_in_full_is_undersampled_on_request(start: Path, tmp_path: Path) -> None:
    write_scan(tiny_scan(seed=5), tmp_path / "full.h5")
    mask = MaskRecipe(acceleration=1.6)
    holdout = HoldoutRecipe(pattern="segments")
    how = replace(SHORT, mask=mask, holdout=holdout)
    folder = adapt(start, [tmp_path / "full.h5"], tmp_path / "own", how, quiet=True)
    assert run_folder.load_recipe(folder).mask == mask


def test_volumes_and_series_are_adapted_to(tmp_path: Path) -> None:
    for shape, frames, mask, keep in (
        ((20, 18, 16), 1, "poisson", (1, 1, 18, 16)),
        ((20, 16), 6, "kt-random", (6, 1, 16)),
    ):
        scan = tiny_scan(shape, 1, oversampling=1)
        if frames > 1:
            scan = replace(scan, kspace=scan.kspace[0][None].repeat(frames, axis=2))
        place = tmp_path / mask
        write(prepared(scan, calibration=6), place / "full" / "full.h5")
        recipe = tiny_recipe(place / "full", steps=1).changed(
            mask={"kind": mask, "acceleration": 2},
            network={"regulariser": {"dimensions": 3}},
        )
        train(recipe, place / "run", quiet=True)
        pattern = np.random.default_rng(1).random(keep) < 0.6
        middle = tuple(slice(n // 2 - 4, n // 2 + 4) if n > 6 else slice(None) for n in keep)
        pattern[middle] = True
        write(prepared(undersampled(scan, pattern), calibration=6), place / "few.h5")
        folder = adapt(place / "run", [place / "few.h5"], place / "own", SHORT, quiet=True)
        assert run_folder.load_recipe(folder).data.slab == (8 if frames == 1 else 64)
        assert run_folder.read_summary(folder)["steps"] == 2


def test_a_network_of_slices_learns_from_those_of_a_volume(start: Path, tmp_path: Path) -> None:
    pattern = np.random.default_rng(1).random((1, 1, 18, 16)) < 0.6
    pattern[..., 5:13, 4:12] = True
    scan = undersampled(tiny_scan((20, 18, 16), 1), pattern)
    write(prepared(scan, calibration=6), tmp_path / "few.h5")
    folder = adapt(start, [tmp_path / "few.h5"], tmp_path / "own", SHORT, quiet=True)
    recipe, own = run_folder.load_recipe(folder), Run(folder)
    assert (recipe.data.volumes, recipe.data.slab) == ("slices", None)
    assert own.trained_on.kinds == ("2D slices",)
    assert changed(start, folder) == {0, 1, 2}
    image = reconstruct(Trained.of(folder), ExampleFile(tmp_path / "few.h5")).image
    slices = SlicesOf(ExampleFile(tmp_path / "few.h5"))
    one_by_one = reconstruct(Trained.of(folder), slices).image
    assert image.shape == (1, 1, 20, 18, 16)
    assert largest_error(image[0, 0], one_by_one[:, 0]) < 1e-5


def test_a_recipe_starts_from_weights_that_are_drawn(scan: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path / "nowhere", polish=3)
    recipes.save(recipe, tmp_path / "recipe.yaml")
    folder = adapt(tmp_path / "recipe.yaml", [scan], tmp_path / "own", SHORT, quiet=True)
    own = run_folder.load_recipe(folder)
    assert (own.network, own.seed) == (recipe.network, recipe.seed)
    assert (own.training.start, own.training.polish) == (None, 0)
    assert (own.training.target, own.training.modules) == ("kspace", 2)
    assert own.training.interpolation == 1  # of drawn weights nothing is kept
    drawn = weights_of(build(recipe.network, recipe.seed))
    learnt = weights_of(Run(folder).network)
    assert any(not torch.equal(weight, learnt[name]) for name, weight in drawn.items())
    assert Run(folder).trained_on.kinds == ("2D slices",)
    (tmp_path / "broken.yaml").write_text("network: {depth: 3}")
    before = {*tmp_path.rglob("*")}
    with pytest.raises(BadInput, match=r"broken.yaml: network.depth: no such field"):
        adapt(tmp_path / "broken.yaml", [scan], tmp_path / "other", SHORT, quiet=True)
    assert {*tmp_path.rglob("*")} == before


def refused(start: Path, scan: Path, tmp_path: Path, how: Adaptation = SHORT) -> str:
    """What is said; nothing is left behind."""
    before = {*tmp_path.rglob("*")}
    with pytest.raises(BadInput) as caught:
        adapt(start, [scan], tmp_path / "own", how, quiet=True)
    assert {*tmp_path.rglob("*")} == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_scans_that_cannot_be_learnt_from_are_refused(
    start: Path, scan: Path, tmp_path: Path
) -> None:
    few = undersampled(tiny_scan(), every_second_line())
    write_scan(tiny_scan(), tmp_path / "full.h5")
    assert "was sampled in full, so there is nothing" in refused(
        start, tmp_path / "full.h5", tmp_path
    )
    alone = undersampled(tiny_scan(coils=1), every_second_line())
    write_scan(alone, tmp_path / "alone.h5")
    assert "has one coil" in refused(start, tmp_path / "alone.h5", tmp_path)
    keep = np.zeros((1, 1, 20), bool)
    keep[..., 6:14] = keep[..., :1] = True
    write_scan(undersampled(tiny_scan(), keep), tmp_path / "line.h5")
    lines = replace(SHORT, holdout=HoldoutRecipe(pattern="lines"))
    assert "too few samples" in refused(start, tmp_path / "line.h5", tmp_path, lines)
    uncalibrated = np.arange(20)[None, None] % 2 == 0
    write_scan(undersampled(tiny_scan(), uncalibrated), tmp_path / "none.h5")
    assert "calibration" in refused(start, tmp_path / "none.h5", tmp_path)
    broken = replace(few, kspace=np.full_like(few.kspace, np.nan))
    write_scan(broken, tmp_path / "nan.h5")
    assert "finite" in refused(start, tmp_path / "nan.h5", tmp_path)
    lines = np.arange(20) % 2 == 0
    lines[6:14] = True
    series = undersampled(tiny_scan((20, 20), 1), lines[None, None])
    series = replace(series, kspace=series.kspace.repeat(4, axis=2))
    write_scan(series, tmp_path / "series.cfl")
    assert "holds 2D series" in refused(start, tmp_path / "series.cfl", tmp_path)
    encoded = undersampled(tiny_scan((16, 20, 20), 1, oversampling=1), lines[None, None, None])
    write(prepared(replace(encoded, readout=None)), tmp_path / "encoded.h5")
    assert "no stacks of slices" in refused(start, tmp_path / "encoded.h5", tmp_path)
    assert "the network has 2" in refused(start, scan, tmp_path, replace(SHORT, last=3))


def test_nothing_is_replaced_unless_that_is_said(start: Path, scan: Path, tmp_path: Path) -> None:
    (tmp_path / "own" / EXAMPLES).mkdir(parents=True)
    assert "is of no adapted run" in refused(start, scan, tmp_path)
    (tmp_path / "own" / EXAMPLES).rmdir()
    folder = adapt(start, [scan], tmp_path / "own", SHORT, quiet=True)
    assert "--force" in refused(start, scan, tmp_path)
    again = adapt(
        start, [folder / EXAMPLES], folder, replace(SHORT, steps=1), force=True, quiet=True
    )
    assert run_folder.read_summary(again)["steps"] == 1
    with pytest.raises(BadInput, match="is the run to start from"):
        adapt(start, [scan], start, SHORT, force=True, quiet=True)


def test_a_network_that_has_grown_is_cut_as_before(start: Path, scan: Path, tmp_path: Path) -> None:
    spoilt = run_folder.load_recipe(start).changed(training={"learning_rate": 3.0})
    train(spoilt, tmp_path / "spoilt", quiet=True)  # so that more iterations make it better
    deeper = grown(spoilt, tmp_path / "spoilt", 2)
    train(deeper.changed(training={"learning_rate": 1e-3}), tmp_path / "deeper", quiet=True)
    last = Run(tmp_path / "deeper").recipe
    folder = adapt(tmp_path / "deeper", [scan], tmp_path / "own", SHORT, quiet=True)
    recipe = run_folder.load_recipe(folder)
    assert recipe.network == last.network
    assert Recipe.model_validate(recipe.model_dump()) == recipe
    assert recipe.module_sizes() == [2, 2, 1]


def test_what_is_said_twice_or_not_at_all_is_refused(
    start: Path, scan: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="--steps and --minutes both say how long"):
        Adaptation(steps=2, minutes=1.0)
    with pytest.raises(BadInput, match="then one scan or more"):
        adapt(start, [], tmp_path / "own", SHORT, quiet=True)
    assert "training.steps" in refused(start, scan, tmp_path, Adaptation(steps=0))


def test_without_a_guard_nothing_is_judged(start: Path, scan: Path, tmp_path: Path) -> None:
    how = replace(SHORT, holdout=HoldoutRecipe(guard=0))
    folder = adapt(start, [scan], tmp_path / "own", how, quiet=True)
    assert run_folder.load_recipe(folder).data.validation is None
    assert {row.metric for row in run_folder.read_metrics(folder)}.isdisjoint({"prediction"})
    assert changed(start, folder) == {0, 1, 2}


def test_examples_of_any_name_are_found_and_none_takes_the_place_of_another(
    start: Path, scan: Path, tmp_path: Path
) -> None:
    few = prepared(undersampled(replace(tiny_scan(), name="few-a"), every_second_line()))
    write(few, tmp_path / "data" / "one.H5")
    folder = adapt(start, [tmp_path / "data" / "one.H5"], tmp_path / "own", SHORT, quiet=True)
    assert [file.name for file in (folder / EXAMPLES).iterdir()] == ["one.h5"]
    place = tmp_path / "gathered"
    place.mkdir()
    (place / "one.h5").touch()
    with pytest.raises(BadInput, match="rename one of them"):
        adaptation._gather([tmp_path / "data" / "one.H5"], place, Settings(), True)
