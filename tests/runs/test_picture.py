"""What a validation shows: one plane of its first scan, read back from where loggers put it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ends import Levels, assert_same_end, drawn
from numpy.typing import NDArray
from tiny import every_second_line, example_files, prepared, tiny_recipe, tiny_scan, undersampled
from toys import SHAPES, noise, toy_image, toy_sense

from gleam.data.batch import Batch
from gleam.data.example import find, write
from gleam.data.loader import every_slice
from gleam.errors import Diverged
from gleam.formats.upright import Plane
from gleam.physics.measurement import Measurement
from gleam.recipe import Recipe
from gleam.runs import journal
from gleam.runs.events import read_events
from gleam.runs.picture import GAIN, Picture, picture_of
from gleam.runs.run import Run
from gleam.runs.train import train


def shape_batch(shape: str) -> Batch:
    sense = toy_sense(**SHAPES[shape])
    target = toy_image(sense, sense.mask.shape[2])
    measurement = Measurement(sense, torch.zeros_like(target), torch.ones(2))
    matrix = tuple(n - 1 for n in target.shape[3:])
    return Batch(measurement, target, ["first", "first"], [4, 5], matrix)


def in_grey(values: NDArray[np.floating], white: float) -> Levels:
    return np.round(255 * np.clip(values / white, 0, 1)).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_middle_plane_and_frame_in_one_window(shape: str) -> None:
    batch = shape_batch(shape)
    assert batch.target is not None
    picture, reference = Picture("first", 5), batch.target
    middle = {  # cropped to 11 of 12 and 10 of 11, or 3 of 4, 5 of 6 and 4 of 5
        "2D": np.s_[1, :, 0, 1:12, 0:10],
        "2D+t": np.s_[1, :, 1, 1:12, 0:10],
        "3D": np.s_[1, :, 0, 1 + 1, 1:6, 0:4],
    }[shape]
    target = np.linalg.norm(reference.numpy()[middle], axis=0)
    white = float(np.quantile(target, 0.995))
    for seed, size in ((7, 0.1), (8, 20.0)):
        image = reference + size * noise(*reference.shape, seed=seed)
        picture.look(image, batch)
        got = np.linalg.norm(image.numpy()[middle], axis=0)
        error = GAIN * np.linalg.norm((image - reference).numpy()[middle], axis=0)
        expected = in_grey(np.concatenate([got, target, error], axis=1), white)
        assert picture.levels is not None
        assert np.abs(picture.levels.astype(int) - expected).max() <= 1  # where 0.5 is rounded


def test_other_slices_are_not_looked_at() -> None:
    batch = shape_batch("2D")
    assert batch.target is not None
    for picture in (Picture("first", 6), Picture("second", 5)):
        picture.look(batch.target, batch)
        assert picture.levels is None


def test_it_stands_upright() -> None:
    batch = shape_batch("2D")
    plane = Plane("transverse", True, (False, True))
    placed = replace(batch, upright=[None, (plane, plane, plane)])
    pictures = []
    for one in (batch, placed):
        pictures.append(Picture("first", 5))
        pictures[-1].look(toy_image(toy_sense(), seed=9), one)
    stored, shown = (np.split(picture.levels, 3, axis=1) for picture in pictures)
    assert np.array_equal(np.concatenate(shown), np.concatenate([x.T[:, ::-1] for x in stored]))


def test_its_pixels_are_square() -> None:
    batch, image = shape_batch("2D"), toy_image(toy_sense(), seed=9)
    plane = Plane("coronal", True, (False, True))
    placed = replace(batch, upright=[None, (plane, plane, plane)])
    rows, columns = batch.matrix
    for one, size in ((batch, (2 * rows, 3 * columns)), (placed, (columns, 3 * 2 * rows))):
        picture = Picture("first", 5, (2.0, 1.0, 7.0))
        picture.look(image, one)
        assert picture.levels is not None
        assert picture.levels.shape == size


def test_without_a_target_the_first_picture_says_what_is_white() -> None:
    batch = replace(shape_batch("2D"), target=None)
    picture, image = Picture("first", 4), toy_image(toy_sense())
    picture.look(image, batch)
    first = picture.levels
    assert first is not None
    assert first.shape == batch.matrix
    assert first.max() == 255
    picture.look(image / 4, batch)
    assert picture.levels is not None
    assert 60 <= picture.levels.max() < 80
    picture.look(torch.full_like(image, float("nan")), batch)
    assert (picture.levels == 255).all()


@pytest.mark.parametrize(
    ("batch", "share", "index"),
    [(1, (0, 1), 2), (2, (0, 1), 2), (2, (0, 2), 1), (1, (0, 2), 2), (1, (0, 9), 0)],
)
def test_the_middle_of_the_slices_that_come_here(
    tmp_path: Path, batch: int, share: tuple[int, int], index: int
) -> None:
    examples = find(example_files(tmp_path, 2, slices=4), 1)
    picture = picture_of(examples, batch, share)
    assert (picture.scan, picture.index) == ("scan-0", index)
    assert picture.voxel == examples[0].header.voxel
    came = every_slice(examples, tiny_recipe(tmp_path).mask, batch, share)
    assert sum("scan-0" in b.scans and index in b.slices for b in came) == 1


def complete(folder: Path) -> Recipe:
    return tiny_recipe(example_files(folder, 2))


def without_targets(folder: Path) -> Recipe:
    scan = undersampled(tiny_scan(oversampling=1), every_second_line())
    write(prepared(scan, calibration=6), folder / "data" / "scan.h5")
    return tiny_recipe(folder / "data", target="kspace")


def volume_in_slabs(folder: Path) -> Recipe:
    write(prepared(tiny_scan((20, 18, 16), 1), calibration=6), folder / "data" / "volume.h5")
    recipe = tiny_recipe(folder / "data", steps=4, validate_every=2)
    network = {"regulariser": {"dimensions": 3, "width": 4, "blocks": 1}}
    return recipe.changed(data={"slab": 4}, network=network)


@pytest.mark.parametrize(
    ("made", "shape"),
    [(complete, (24, 60)), (without_targets, (24, 20)), (volume_in_slabs, (18, 48))],
)
def test_a_run_shows_each_validation_and_is_the_same_without(
    made, shape: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = made(tmp_path)
    train(recipe, tmp_path / "run", quiet=True)
    pictures = drawn(tmp_path / "run")
    every, steps = recipe.training.validate_every, recipe.training.steps
    assert list(pictures) == [every, steps]
    assert {levels.shape for levels in pictures.values()} == {shape}
    assert not np.array_equal(pictures[every], pictures[steps])
    assert {event.kind for event in read_events(tmp_path / "run")} == {
        "start", "steps", "validation", "checkpoint", "end"
    }  # fmt: skip

    monkeypatch.setattr(journal, "picture_of", lambda *_: None)
    train(recipe, tmp_path / "blind", quiet=True)
    assert not drawn(tmp_path / "blind")
    assert_same_end(tmp_path / "run", tmp_path / "blind")


def test_it_is_what_the_network_reconstructs(tmp_path: Path) -> None:
    recipe = complete(tmp_path).changed(training={"validate_every": 6, "learning_rate": 3e-3})
    train(recipe, tmp_path / "run", quiet=True)
    examples = find(tmp_path / "examples", 1)
    picture = picture_of(examples, recipe.data.batch, (0, 1))
    network = Run(tmp_path / "run").network
    for batch in every_slice(examples, recipe.mask):
        with torch.no_grad():
            picture.look(network(batch.measurement), batch)
    assert np.array_equal(drawn(tmp_path / "run")[6], picture.levels)


def test_nothing_is_shown_once_a_number_was_not_finite(tmp_path: Path) -> None:
    recipe = complete(tmp_path).changed(training={"learning_rate": 1e30, "validate_every": 1})
    with pytest.raises(Diverged):
        train(recipe, tmp_path / "run", quiet=True)
    validated = [e.step for e in read_events(tmp_path / "run") if e.kind == "validation"]
    assert list(drawn(tmp_path / "run")) == validated
