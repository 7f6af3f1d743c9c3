"""The programs in examples/ run, small, and do what they say."""

import importlib
import os
import sys
from pathlib import Path

import jaxtyping
import pytest
import torch

import gleam

EXAMPLES = Path(__file__).parents[1] / "examples"
EACH = sorted(EXAMPLES.glob("*.py"))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def main_of(name):
    return importlib.import_module(name).main


def test_there_are_examples():
    assert len(EACH) >= 6


@pytest.mark.parametrize("path", EACH, ids=lambda path: path.stem)
def test_examples_are_short(path):
    assert 30 <= len(path.read_text(encoding="utf-8").splitlines()) <= 65


def test_reconstruct_a_scan(elsewhere):
    errors = main_of("reconstruct_a_scan")(size=32, acceleration=2.0)
    assert errors["wavelet"] < errors["zero-filled"]
    assert {path.name for path in elsewhere.glob("*.nii.gz")} == {f"{m}.nii.gz" for m in errors}


def test_greedy_in_your_own_loop(elsewhere):
    history = main_of("greedy_in_your_own_loop")(cascades=2, steps=20, size=16, width=4)
    assert history[-1] < history[0]
    assert (elsewhere / "net.pt").exists()


def test_unrolled_from_parts():
    zero_filled, untrained, trained = main_of("unrolled_from_parts")(2, steps=3, size=48, width=4)
    assert max(untrained, trained) < zero_filled


def test_fastmri_varnet():
    try:
        main = main_of("fastmri_varnet")
    except ImportError as missing:
        pytest.skip(f"fastMRI's code is not installed ({missing}); the example says how")
    assert len(main(cascades=2, steps=2, size=32, coils=2)) == 2


def test_volume_in_slabs(elsewhere):
    run = main_of("volume_in_slabs")(size=24, steps=2, slab=8, width=2)
    assert run.summary["steps"] == 2
    assert len([*elsewhere.glob("volumes/*.nii.gz")]) == 2


@pytest.fixture
def unchecked():
    """To compare a shape, which is a symbol while a program is traced, would make it a number."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("unchecked")
def test_export_and_load():
    errors = main_of("export_and_load")(size=32, steps=2, iterations=1, width=4)
    assert len(errors) == 3
    assert max(errors) < 1e-5


@pytest.mark.slow
def test_two_processes_end_with_the_same_weights(elsewhere):
    main_of("two_processes")(blocks=2, steps=3)
    one, other = (torch.load(f"weights-{process}.pt") for process in range(2))
    assert torch.equal(one, other)


def test_two_processes_in_one(elsewhere):
    main_of("two_processes").__globals__["learn"](0, 1, str(elsewhere / "meeting"), 2, 2)
    assert (elsewhere / "weights-0.pt").exists()


@pytest.mark.filterwarnings("ignore")  # of the other packages
@pytest.mark.parametrize("package", ["deepinv", "mrpro"])
def test_interop(package):
    try:
        main = main_of(f"interop_{package}")
    except (ImportError, RuntimeError) as missing:  # RuntimeError: torchvision of another torch
        pytest.skip(f"{package} is not installed ({missing}): pip install {package}")
    assert all(difference < 1e-3 for difference in main(size=24).values())


def test_ray_tune(elsewhere, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(EXAMPLES), *sys.path]))  # of its workers
    try:
        main = main_of("ray_tune")
    except ImportError as missing:
        pytest.skip(f"Ray is not installed ({missing}); the example says how")
    for part in ("train", "validation"):
        scan = gleam.simulate((48, 48), coils=3, slices=1, name=part)
        (elsewhere / "prepared" / part).mkdir(parents=True)
        gleam.prepare(scan).save(elsewhere / "prepared" / part / "scan.h5")
    assert main(minutes=0.01, samples=1)["iterations"] in (4, 8, 16)
