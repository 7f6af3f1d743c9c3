import importlib
from functools import partial

import numpy as np
import pytest

from gleam.errors import BadInput
from gleam.formats import read_scan
from gleam.simulation import simulate, simulate_scan

SMALL = partial(simulate_scan, (16, 16), 2, 1, 20.0)

module = importlib.import_module("gleam.simulation.simulate")  # the function has the same name


def test_scans_are_written_and_read_back(tmp_path):
    draw = partial(simulate_scan, (32, 24), (2, 3), 3, (10.0, 30.0))
    paths = simulate(tmp_path / "new", 2, draw, seed=7)
    assert [p.name for p in paths] == ["scan-0000.h5", "scan-0001.h5"]
    assert sorted(tmp_path.joinpath("new").iterdir()) == paths
    for index, path in enumerate(paths):
        found = read_scan(path)
        expected = simulate_scan((32, 24), (2, 3), 3, (10.0, 30.0), (7, index))
        assert found.kspace.shape == expected.kspace.shape
        for s in range(3):
            np.testing.assert_allclose(found.kspace[s], expected.kspace[s], rtol=1e-6)
        assert found.matrix == expected.matrix
        np.testing.assert_allclose(found.voxel, expected.voxel, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "slices", "frames"),
    [((20, 24), 2, 1), ((16, 20, 18), 1, 1), ((20, 24), 1, 5), ((20, 24), 2, 4)],
)
def test_cfl_files_hold_2d_3d_and_series(tmp_path, shape, slices, frames):
    draw = partial(simulate_scan, shape, 2, slices, 20.0, frames=frames)
    (path,) = simulate(tmp_path, 1, draw, seed=1, format="cfl")
    assert path.name == "scan-0000.cfl"
    found, expected = read_scan(path), draw(seed=(1, 0), oversampling=1)
    assert found.kspace.shape == expected.kspace.shape == (slices, 2, frames, *shape)
    assert found.matrix == expected.matrix == shape
    for s in range(slices):
        np.testing.assert_allclose(found.kspace[s], expected.kspace[s], rtol=1e-6)


def test_a_format_that_cannot_hold_the_scan_leaves_no_file(tmp_path):
    with pytest.raises(BadInput, match=r"write \.cfl instead"):
        simulate(tmp_path, 1, partial(simulate_scan, (16, 16, 16), 2, 1, 20.0), seed=1)
    assert list(tmp_path.iterdir()) == []


def test_workers_do_not_change_the_scans(tmp_path):
    alone = simulate(tmp_path / "one", 3, SMALL, seed=5)
    shared = simulate(tmp_path / "two", 3, SMALL, seed=5, workers=2)
    for a, b in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(read_scan(a).kspace[0], read_scan(b).kspace[0])


def test_files_that_are_there_are_left_alone(tmp_path):
    there = tmp_path / "scan-0001.h5"
    there.write_bytes(b"mine")
    with pytest.raises(BadInput, match=r"scan-0001\.h5: is there already; replace it"):
        simulate(tmp_path, 2, SMALL, seed=0)
    assert list(tmp_path.iterdir()) == [there]
    assert there.read_bytes() == b"mine"


def test_bad_input_in_a_worker_arrives_as_such(tmp_path):
    with pytest.raises(BadInput, match="too small"):
        simulate(tmp_path, 2, partial(simulate_scan, (4, 4), 1, 1, 20.0), seed=0, workers=2)
    with pytest.raises(BadInput, match="0 scans"):
        simulate(tmp_path, 0, SMALL, seed=0)
    assert list(tmp_path.iterdir()) == []


def test_sets_of_other_names_share_a_folder(tmp_path):
    for name in ("scan", "large"):
        simulate(tmp_path, 1, SMALL, 0, name=name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["large-0000.h5", "scan-0000.h5"]
