"""`gleam adapt` and `gleam reconstruct --adapt`: a run learns from a scan, or says why not."""

import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import every_second_line, example_files, tiny_recipe, tiny_scan, undersampled

from gleam.cli import main
from gleam.errors import Diverged, OutOfMemory, Signalled
from gleam.formats import write_scan
from gleam.planning import adapting
from gleam.planning.machine import Machine
from gleam.reconstruction import adapted
from gleam.runs import folder as run_folder
from gleam.runs.train import train


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, a scan that was undersampled by the scanner, and one that was not."""
    here = tmp_path_factory.mktemp("made")
    recipe = tiny_recipe(example_files(here, scans=1), steps=2, loggers=())
    train(recipe, here / "run", quiet=True)
    few = undersampled(replace(tiny_scan(seed=5), name="few"), every_second_line())
    write_scan(few, here / "few.h5")
    write_scan(tiny_scan(seed=5), here / "full.h5")
    return here


def call(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_what_learning_takes_is_said_and_changes_nothing(
    made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapting, "machine_of", lambda _: Machine(torch.device("cpu"), False))
    said = ("reconstruct", made / "run", made / "few.h5", "-o")
    out = tmp_path / "a.npy", tmp_path / "b.npy"
    assert call(*said, out[0], "--adapt", "--steps", 2) == 0
    assert call(*said, out[1], "--adapt", "--steps", 2, "--memory", "1GiB") == 0
    err = capfd.readouterr().err
    assert "few: learning from it takes" in err
    assert "few: takes" in err
    assert np.array_equal(np.load(out[0]), np.load(out[1]))


def test_the_verb_makes_a_run_and_says_how_it_went(
    made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ["--steps", 2, "--modules", 1, "--interpolation", 0.5]
    options += ["--holdout.pattern", "samples", "--json"]
    assert call("adapt", made / "run", made / "few.h5", "--out", tmp_path / "own", *options) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["steps"] == 2
    assert "before training: validation prediction of held-out samples" in err
    recipe = run_folder.load_recipe(tmp_path / "own")
    assert (recipe.training.modules, recipe.training.interpolation) == (1, 0.5)
    assert recipe.training.holdout.pattern == "samples"
    image = tmp_path / "few.npy"
    assert call("reconstruct", tmp_path / "own", made / "few.h5", "-o", image) == 0
    assert np.isfinite(np.load(image)).all()


def test_a_scan_in_full_is_undersampled_where_that_is_said(
    made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = ["adapt", made / "run", made / "full.h5", "--out", tmp_path / "own", "--steps", 2]
    assert call(*said) == 2
    assert "was sampled in full" in capfd.readouterr().err
    assert not (tmp_path / "own").exists()
    assert call(*said, "--acceleration", 1.6) == 0
    assert run_folder.load_recipe(tmp_path / "own").mask.acceleration == 1.6


def test_an_adapted_image_is_that_of_the_run_that_adapt_makes(made: Path, tmp_path: Path) -> None:
    few, own, steps = made / "few.h5", tmp_path / "own", ["--steps", 2]
    assert call("adapt", made / "run", few, "--out", own, *steps) == 0
    images = []
    for name, method, options in (
        ("plain", made / "run", []),
        ("adapted", made / "run", ["--adapt", *steps]),
        ("own", own, []),
    ):
        out = tmp_path / f"{name}.npy"
        assert call("reconstruct", method, few, "-o", out, *options) == 0
        images.append(np.load(out))
    np.testing.assert_array_equal(images[1], images[2])
    assert 1e-6 < np.linalg.norm(images[1] - images[0]) / np.linalg.norm(images[0]) < 0.5
    made_here = {path.name for path in tmp_path.iterdir()}
    assert made_here == {"plain.npy", "adapted.npy", "own.npy", "own"}


@pytest.mark.parametrize("kind", ["full", "alone", "centre"])
def test_an_image_is_written_where_a_scan_cannot_be_learnt_from(
    kind: str, made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scan, keep = tiny_scan(seed=5), every_second_line()
    if kind == "alone":
        scan = undersampled(tiny_scan(coils=1), keep)
    elif kind == "centre":
        keep = np.zeros((1, 1, 20), bool)
        keep[..., 6:14] = True
        scan = undersampled(scan, keep)
    write_scan(scan, tmp_path / "scan.h5")
    out = [tmp_path / "plain.npy", tmp_path / "adapted.npy"]
    said = ["reconstruct", made / "run", tmp_path / "scan.h5", "-o"]
    assert call(*said, out[0]) == 0
    assert call(*said, out[1], "--adapt", "--steps", 2) == 0
    warnings = [line for line in capfd.readouterr().err.splitlines() if "could not be" in line]
    assert len(warnings) == 1
    np.testing.assert_array_equal(np.load(out[0]), np.load(out[1]))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["cg-sense", "few.h5", "--adapt"], "nothing to learn with --adapt"),
        (["run", "few.h5", "--steps", "3"], "are of --adapt"),
        (["run", "few.h5", "--adapt", "--steps", "3", "--minutes", "1"], "both say how long"),
        (["run", "scans", "--adapt"], "--adapt is for one file"),
    ],
)
def test_what_cannot_be_adapted_is_said(
    options: list[str],
    line: str,
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(made)
    assert call("reconstruct", *options, "-o", tmp_path / "out") == 2
    assert line in capfd.readouterr().err


@pytest.mark.parametrize("failure", [Diverged("of a run"), OutOfMemory("of a run")])
def test_an_image_is_written_where_learning_fails(
    failure: Exception,
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(adapted, "adapt", fail)
    out = tmp_path / "few.npy"
    assert call("reconstruct", made / "run", made / "few.h5", "-o", out, "--adapt") == 0
    said = capfd.readouterr().err
    assert "could not be adapted, and is used as it is" in said
    assert "of a run" not in said  # which is gone
    assert out.exists()


def test_who_stops_it_is_not_told_to_go_on_with_what_is_gone(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise Signalled("go on with: gleam train --resume there", signal.SIGTERM)

    monkeypatch.setattr(adapted, "adapt", stop)
    out = tmp_path / "few.npy"
    assert call("reconstruct", made / "run", made / "few.h5", "-o", out, "--adapt") == 143
    assert capfd.readouterr().err.endswith("stopped while adapting; no image was made\n")
    assert not out.exists()
