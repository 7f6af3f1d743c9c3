import pytest
from metering import recipe
from tiny import example_files, prepared, tiny_scan

from gleam.data.example import find, write
from gleam.errors import BadInput
from gleam.networks import build
from gleam.planning.scans import ScanSize, scan_of
from gleam.runs.assembly import training_batches

THREE = {"dimensions": 3}


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ({"space": (8,), "coils": 2}, "give y x, or z y x"),
        ({"space": (8, 8, 8, 8), "coils": 2}, "give y x, or z y x"),
        ({"space": (8, 0), "coils": 2}, "shape: 0 positions"),
        ({"space": (8, 2**30), "coils": 2}, "shape: 1073741824 positions"),
        ({"space": (8, 8), "coils": 0}, "coils: 0"),
        ({"space": (8, 8), "coils": 2, "frames": 0}, "frames: 0"),
    ],
)
def test_sizes_that_cannot_be(size, said):
    with pytest.raises(BadInput, match=said):
        ScanSize(**size)


@pytest.mark.parametrize(
    ("recipe", "scan", "said"),
    [
        (recipe(regulariser=THREE), ScanSize((8, 8), 2), "is one slice"),
        (
            recipe(regulariser=THREE | {"circular": True}),
            ScanSize((8, 8, 8), 2),
            "circular is for series",
        ),
        (recipe(mask={"kind": "kt-random"}), ScanSize((8, 8), 2), "is for series"),
        (recipe(mask={"kind": "poisson"}, data={"slab": 2}), ScanSize((8, 8), 2), "data.slab"),
    ],
)
def test_recipes_for_other_scans(recipe, scan, said):
    with pytest.raises(BadInput, match=said):
        scan.check(recipe)


def test_volumes_that_are_taken_as_slices_are_as_large_as_one(tmp_path):
    slices = recipe(data={"train": tmp_path, "volumes": "slices"})
    assert scan_of(slices, (30, 20, 18), 3) == ScanSize((20, 18), 3)
    assert scan_of(slices, (20, 18), 3) == ScanSize((20, 18), 3)
    assert scan_of(recipe(), (30, 20, 18), 3) == ScanSize((30, 20, 18), 3)
    write(prepared(tiny_scan((30, 20, 18), 1), calibration=6), tmp_path / "volume.h5")
    found = scan_of(slices)
    assert (found.space, found.coils) == ((20, 18), 3)


def test_sizes_come_from_the_examples(tmp_path):
    folder = example_files(tmp_path, 1, shape=(24, 20))
    one = recipe(data={"train": folder, "batch": 2}, mask={"acceleration": 1.6})
    found = scan_of(one)
    batch = training_batches(find(folder, 1), one, build(one.network)).at(0)
    made = found.batch(one, None, found.coils, 0)
    for name in ("maps", "mask"):
        assert (
            getattr(made.measurement.sense, name).shape
            == getattr(batch.measurement.sense, name).shape
        )
    assert made.measurement.adjoint.shape == batch.measurement.adjoint.shape
    assert made.measurement.axes == batch.measurement.axes
    assert made.target.shape == batch.target.shape


def test_slabs_are_longer_by_what_an_iteration_sees():
    one = recipe(regulariser=THREE, data={"slab": 4}, mask={"kind": "poisson"})
    scan = ScanSize((40, 12, 10), 2)
    network = build(one.network)
    slab = scan.slab(one, network)
    assert len(slab.core) == 4
    assert len(slab.wide) == 4 + 2 * network.reach(-3)
    batch = scan.batch(one, slab, 2, 0)
    assert batch.core(batch.target).shape[-3] == 4
    whole = scan.slab(one.changed(data={"slab": 100}), network)
    assert whole.wide == whole.core == range(40)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"shape": (8, 8)}, "how many --coils"),
        ({"coils": 2}, "go with --shape"),
        ({}, "is not there"),
    ],
)
def test_what_is_not_said(given, said, tmp_path):
    with pytest.raises(BadInput, match=said):
        scan_of(recipe(data={"train": tmp_path / "nowhere"}), **given)
