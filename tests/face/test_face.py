import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from toys import SHAPES, toy_measurement, toy_sense

import gleam
from gleam.face.pictures import png

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/python.md").read_text(encoding="utf-8")


def test_the_page_lists_what_there_is():
    table = PAGE.partition("## All names")[2].partition("##")[0]
    assert sorted(re.findall(r"`(\w+)`", table.partition("`help")[0])) == dir(gleam)


def test_editors_and_type_checkers_see_the_same_names():
    """A name that is only in one of the two places would be missing for somebody."""
    tree = ast.parse((ROOT / "src/gleam/__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    seen = {one.asname: node.module for node in imports for one in node.names}
    assert seen == gleam._HOME
    assert all(getattr(gleam, name) is not None for name in seen)


def test_importing_brings_nothing():
    """No torch, no NumPy, nothing of this house; what a module costs is what it imports."""
    code = "import sys; before = {*sys.modules}; import gleam; print(*{*sys.modules} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    brought = done.stdout.split()
    assert {name for name in brought if name.startswith("gleam")} == {"gleam", "gleam.threads"}
    assert not {"torch", "numpy", "pydantic", "importlib.metadata"} & {*brought}


@pytest.mark.parametrize("first", ["gleam", "torch"])
def test_torchs_threads_sleep_where_torch_is_imported_after(first):
    """It reads how they wait once; what is set later would only mislead those it starts."""
    code = f"import {first}, gleam, torch, os; print(os.environ.get('OMP_WAIT_POLICY'))"
    known = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=known
    )
    assert done.stdout.strip() == {"gleam": "passive", "torch": "None"}[first]


def test_unknown_names_are_no_attributes():
    with pytest.raises(AttributeError, match="gleam has no 'recontruct'"):
        gleam.recontruct  # noqa: B018
    assert gleam.__version__


@pytest.mark.parametrize("shape", SHAPES)
def test_operators_and_measurements_say_what_they_are_in_a_line(shape):
    sense = toy_sense(**SHAPES[shape])
    measurement, _ = toy_measurement(sense, SHAPES[shape].get("frames", 1))
    for thing in (sense, measurement):
        assert len(repr(thing)) <= 200
        assert "\n" not in repr(thing)
    assert str(tuple(sense.maps.shape)) in repr(sense)
    assert str(tuple(measurement.adjoint.shape)) in repr(measurement)


def test_scans_examples_images_and_runs_say_what_they_are_in_a_line(there):
    scan = gleam.simulate((24, 20), name="x" * 500)
    data = gleam.prepare(scan)
    image = gleam.reconstruct(data, "cg-sense")
    for thing in (scan, data, image, gleam.open_run("runs/greedy"), gleam.mask()):
        assert len(repr(thing)) <= 200
        assert "\n" not in repr(thing)


def test_bodies_may_be_larger_than_the_field_of_view():
    def at_the_edges(oversized: float) -> float:
        kspace = np.asarray(gleam.simulate((24, 32), oversized=oversized, snr=1e6).kspace)
        across = np.abs(np.fft.ifft2(kspace, axes=(-2, -1))).sum(axis=(0, 1, 2, 3))
        return across[15:18].mean() / across.mean()

    assert at_the_edges(1.0) > 1.5 * at_the_edges(0.0)


def test_an_undersampled_scan_says_so(there):
    volume = gleam.simulate((16, 18, 20), slices=1, coils=2)
    assert "16 × 18 × 20, fully sampled" in repr(volume)
    assert "slice" not in repr(volume)


@pytest.mark.parametrize("frames", [1, 4])
def test_notebooks_draw_scans_examples_and_images(frames):
    scan = gleam.simulate((24, 20), slices=1, coils=3, frames=frames)
    data = gleam.prepare(scan)
    for thing in (scan, data, gleam.reconstruct(data, "zero-filled")):
        drawn = thing._repr_png_()
        assert drawn.startswith(b"\x89PNG")
        assert drawn == png(thing.pictures())
        thing.show()  # nothing, where there are no colours


def test_a_scan_that_cannot_be_prepared_is_drawn_all_the_same(there):
    scan = gleam.load("scan.h5")
    lines = np.zeros((1, 1, 48), bool)
    lines[..., ::2] = True
    holes = type(scan)(**vars(scan) | {"sampled": lines, "calibration": None})
    with pytest.raises(gleam.BadInput, match="calibration"):
        gleam.prepare(holes)
    assert holes._repr_png_().startswith(b"\x89PNG")
    assert "1.96× accelerated" in repr(holes)


def test_what_is_saved_is_what_is_opened(there, tmp_path):
    data = gleam.prepare("scan.h5", calibration=12)
    other = gleam.open(data.save(tmp_path / "new" / "x.h5"))
    for mask in (None, gleam.mask(acceleration=4)):
        one, two = data.measure(mask), other.measure(mask)
        torch.testing.assert_close(one[0].adjoint, two[0].adjoint)
        torch.testing.assert_close(one[1], two[1])
    assert repr(other) == repr(data)
    assert other.facts() == data.facts()
    with pytest.raises(gleam.BadInput, match=r"is there already; replace it with force=True, or"):
        data.save(tmp_path / "new" / "x.h5")
    data.save(tmp_path / "new" / "x.h5", force=True)
    with pytest.raises(gleam.BadInput, match="give it that suffix"):
        data.save(tmp_path / "x.npy")
    with pytest.raises(gleam.BadInput, match="is a folder"):
        gleam.open(tmp_path)


def test_preparation_takes_what_the_verb_takes(there, tmp_path):
    random = np.random.default_rng(0)
    noise = random.normal(size=(3, 512)) + 1j * random.normal(size=(3, 512))
    np.save(tmp_path / "noise.npy", noise.astype(np.complex64))
    data = gleam.prepare(
        "scan.h5",
        calibration=12,
        sets=2,
        coils=2,
        reference="scan.h5",
        noise=tmp_path / "noise.npy",
    )
    assert "2 coils, 1 frame, 32 × 48, 2 map sets" in repr(data)
    assert data.facts()["calibration"][-1] == 12
    A, target = data.measure(gleam.mask(acceleration=4))
    assert A.adjoint.shape == target.shape == (2, 2, 1, 32, 48)
    for wrong in ({"sets": 3}, {"coils": 0}):
        with pytest.raises(gleam.BadInput, match="sets is 1 or 2, coils 1 or more"):
            gleam.prepare("scan.h5", **wrong)
    with pytest.raises(gleam.BadInput, match="no such file"):
        gleam.prepare("scan.h5", noise="nowhere.npy")


def test_measure_takes_slices_and_seeds(there):
    data, mask = gleam.open("examples/scan-0.h5"), gleam.mask("random", acceleration=4)
    whole, target = data.measure(mask)
    one, _ = data.measure(mask, slices=1)
    assert torch.equal(one.adjoint, whole.adjoint[1:])
    again, _ = data.measure(mask, slices=[1, 0], seed=7)
    assert again.adjoint.shape == whole.adjoint.shape
    assert not torch.equal(again.mask, whole.mask)
    everything, _ = data.measure()
    assert (gleam.zero_filled(everything) - target).norm() < 0.1 * target.norm()
    for wrong in (2, [], -1):
        with pytest.raises(gleam.BadInput, match="scan-0: has 2 slices, from 0 on; not"):
            data.measure(slices=wrong)


def test_undersampled_scans_have_no_target_and_take_no_mask(there):
    scan = gleam.load("scan.h5")
    lines = np.zeros((1, 1, 48), bool)
    lines[..., ::2] = True
    lines[..., 16:32] = True
    box = ((0, 64), (16, 32))
    data = gleam.prepare(type(scan)(**vars(scan) | {"sampled": lines, "calibration": box}))
    assert "undersampled" in repr(data)
    assert data.measure()[1] is None
    with pytest.raises(gleam.BadInput, match="without a mask"):
        data.measure(gleam.mask())


def test_a_run_and_a_network_of_ones_own_reconstruct_alike(there, tmp_path):
    run, data = gleam.open_run("runs/greedy"), gleam.open("examples/scan-0.h5")
    mask = gleam.mask(acceleration=4)
    images = [gleam.reconstruct(data, method, mask) for method in (run, run.folder, run.network)]
    for image in images:
        assert np.array_equal(image.image, images[0].image)
    assert "modl of 3 iterations" in repr(images[0])
    images[0].save(tmp_path / "new" / "x.npy")
    assert np.array_equal(np.load(tmp_path / "new" / "x.npy").ravel(), images[0].image.ravel())
    with pytest.raises(gleam.BadInput, match=r"wavelets: is neither .*; did you mean wavelet\?"):
        gleam.reconstruct(data, "wavelets")
    with pytest.raises(gleam.BadInput, match="no GPU here"):
        gleam.reconstruct(data, run, device="cuda:7")


def test_a_scan_or_a_file_is_prepared_for_what_reconstructs_it(there):
    mask = gleam.mask(acceleration=4)
    expected = gleam.reconstruct(gleam.prepare("scan.h5"), "runs/greedy", mask).image
    for data in ("scan.h5", there / "scan.h5", gleam.load("scan.h5")):
        assert np.array_equal(gleam.reconstruct(data, "runs/greedy", mask).image, expected)
    one = gleam.reconstruct("examples/scan-0.h5", "zero-filled", mask)
    assert np.array_equal(
        one.image, gleam.reconstruct(gleam.open("examples/scan-0.h5"), "zero-filled", mask).image
    )


def test_runs_stop_early_and_say_what_may_be_wrong(there):
    run, mask = gleam.open_run("runs/greedy"), gleam.mask(acceleration=4)
    short = run.reconstruct("scan.h5", mask, iterations=1)
    assert [*short.iterations] == [1, 1]
    assert "stopped after 1" in repr(short)
    other = run.reconstruct("scan.h5", gleam.mask(acceleration=3))
    assert other.doubts
    assert repr(other).endswith(f", {len(other.doubts)} doubt{'s' * (len(other.doubts) > 1)}>")
    with pytest.raises(gleam.BadInput, match="so iterations=… is 1 to 3"):
        run.reconstruct("scan.h5", mask, iterations=4)
    with pytest.raises(gleam.BadInput, match="iterations=… and until=… are for runs, not for fun"):
        gleam.reconstruct("scan.h5", run.network, mask, iterations=1)


def test_numpy_takes_an_image_for_its_array():
    values = (np.arange(24) + 1j).astype(np.complex64).reshape(2, 1, 3, 4)
    image = gleam.Image(values, (1.0, 1.0, 5.0), np.eye(4))
    assert np.shares_memory(np.asarray(image), values)
    assert np.array_equal(np.abs(image), np.abs(values))
    assert np.array(image, copy=True).base is None
    assert np.asarray(image, np.complex128).dtype == np.complex128
    with pytest.raises(ValueError, match="copy"):
        np.array(image, np.complex128, copy=False)


def test_numpy_takes_a_scan_and_an_example_for_nothing(there):
    scan = gleam.load("scan.h5")
    assert np.array_equal(np.abs(scan.kspace)[1], np.abs(scan.kspace[1]))
    with pytest.raises(ValueError, match="is a copy"):
        np.array(scan.kspace, copy=False)
    for several in (scan, gleam.open("examples/scan-0.h5")):
        with pytest.raises(TypeError, match="is no array"):
            np.asarray(several)


def test_training_says_what_is_wrong_in_pythons_words(there, tmp_path):
    with pytest.raises(gleam.BadInput, match=r"training.stepz: no such field; did you mean"):
        gleam.train("recipe.yaml", tmp_path / "run", training={"stepz": 3})
    with pytest.raises(gleam.BadInput, match=r"with force=True, or go on with it \(resume=True\)"):
        gleam.train("recipe.yaml", "runs/greedy", quiet=True)
    with pytest.raises(gleam.BadInput, match="give no changes"):
        gleam.train("recipe.yaml", "runs/greedy", resume=True, seed=1)
    with pytest.raises(gleam.BadInput, match=r"network\.familly"):
        gleam.train({"network": {"familly": "pgd"}}, tmp_path / "run")
    with pytest.raises(gleam.BadInput, match="is not a run"):
        gleam.open_run(tmp_path)


THEIRS = """
import torch

class Scaled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, state, measurement):
        return self.factor * state

class Theirs:
    def __init__(self, iterations):
        self.blocks = [Scaled() for _ in range(iterations)]

    def first(self, measurement):
        return measurement.adjoint

    def image(self, state):
        return state

def build(iterations):
    return Theirs(iterations)
"""


def test_a_network_of_ones_own_is_imported_where_it_is_trusted(there, tmp_path, monkeypatch):
    (tmp_path / "their_net.py").write_text(THEIRS)
    monkeypatch.syspath_prepend(tmp_path)
    changes = {"network": {"family": "python", "build": "their_net:build", "iterations": 2}}
    changes |= {"data": {"train": "examples"}, "training": {"modules": 2, "steps": 2}}
    with pytest.raises(gleam.BadInput, match=r'say trust=\["their_net"\]'):
        gleam.train(changes, tmp_path / "run", quiet=True)
    run = gleam.train(changes, tmp_path / "run", quiet=True, trust=["their_net"])
    mask = gleam.mask(acceleration=4)
    image = run.reconstruct("scan.h5", mask)
    again = gleam.open_run(tmp_path / "run", trust=["their_net"])
    assert np.array_equal(again.reconstruct("scan.h5", mask).image, image.image)
    assert again.network(gleam.open("examples/scan-0.h5").measure(mask)[0]).shape[1:] == (
        1,
        1,
        32,
        48,
    )
    with pytest.raises(gleam.BadInput, match=r'say trust=\["their_net"\]'):
        gleam.open_run(tmp_path / "run").network  # noqa: B018


def test_errors_end_where_they_were_made():
    """Whoever types at a prompt sees their own line and the message, not the way between them."""
    with pytest.raises(gleam.BadInput) as wrong:
        gleam.mask("poison")
    assert wrong.value.__cause__ is None
    assert wrong.value.__suppress_context__
    assert not any("recipe" in str(entry.path) for entry in wrong.traceback)


def test_parts_of_files_are_chosen_in_pythons_words(there, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 4, 24, 20), np.complex64))
    scan = gleam.load(tmp_path / "x.npy", axes="slice coil y x")
    assert scan.kspace.shape == (2, 4, 1, 24, 20)
    with pytest.raises(gleam.BadInput, match=r"axes=…: 'coils' is no axis"):
        gleam.load(tmp_path / "x.npy", axes="slice coils y x")
