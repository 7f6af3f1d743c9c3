import pickle

import h5py
import numpy as np
import pytest

from gleam.formats import read_scan
from gleam.formats.layout import Layout


def numbers(shape, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)


@pytest.fixture
def file(tmp_path):
    """Write datasets to a file; return its path."""

    def write(**datasets):
        path = tmp_path / "scan.h5"
        with h5py.File(path, "w") as file:
            for name, data in datasets.items():
                file[name] = data
        return path

    return write


def test_kspace_without_a_header_has_fastmris_axes(file):
    kspace, mask = numbers((3, 4, 16, 12)), np.arange(12) % 2
    scan = read_scan(file(kspace=kspace, mask=mask.astype(np.float32), other=numbers((3, 8, 8))))
    scan = pickle.loads(pickle.dumps(scan))
    assert scan.kspace.shape == (3, 4, 1, 16, 12)
    assert (scan.readout, scan.matrix, scan.format) == (0, (16, 12), "HDF5 array")
    np.testing.assert_array_equal(scan.kspace[1][:, 0], kspace[1] * mask)
    np.testing.assert_array_equal(scan.sampled[0], np.broadcast_to(mask == 1, (16, 12)))


def test_named_axes_and_oversampling_hold_for_any_array(file):
    raw = numbers((16, 12, 4))
    path = file(raw=raw)
    scan = read_scan(path, Layout.parse("x y coil", "raw", "y:1.5"))
    assert (scan.kspace.shape, scan.readout, scan.matrix) == ((1, 4, 1, 12, 16), 0, (8, 16))
    np.testing.assert_array_equal(scan.kspace[0][:, 0], raw.transpose(2, 1, 0))
    pairs = np.empty(raw.shape, [("real", "<f4"), ("imag", "<f4")])
    pairs["real"], pairs["imag"] = raw.real, raw.imag
    again = read_scan(file(raw=pairs), Layout.parse("x y coil"))
    np.testing.assert_array_equal(again.kspace[0], scan.kspace[0])


@pytest.mark.parametrize("shape", [(16, 12), (1, 1, 16, 12), (4, 16, 12)])
def test_masks_of_two_axes_and_of_frames(file, shape):
    mask = np.random.default_rng(1).random(shape) < 0.5
    kspace = numbers((2, 3, 4, 16, 12))
    scan = read_scan(file(kspace=kspace, mask=mask), Layout.parse("slice coil frame y:readout x"))
    expected = np.broadcast_to(mask.reshape(-1, 16, 12), (4, 16, 12))
    np.testing.assert_array_equal(scan.sampled, expected)
    np.testing.assert_array_equal(scan.kspace[1], kspace[1] * expected)


@pytest.mark.parametrize(
    ("datasets", "said", "says"),
    [
        ({"kspace": numbers((4, 16, 12))}, None, "name them in this order"),
        ({"raw": numbers((3, 4, 16, 12))}, None, "'raw' (3 × 4 × 16 × 12) mean"),
        ({"a": numbers((4, 8, 8)), "b": numbers((4, 8, 8))}, "coil y x", "say by --variable"),
        ({"magnitude": np.ones((4, 8))}, None, "holds no complex array"),
        ({"kspace": numbers((2, 3, 8, 9)), "mask": np.ones(8)}, None, "'mask' is float64 of shape"),
        ({"kspace": numbers((2, 3, 8, 9)), "mask": numbers((9,))}, None, "'mask' is complex64"),
    ],
)
def test_what_is_not_clear_is_refused(file, refused, datasets, said, says):
    layout = None if said is None else Layout.parse(said)
    assert says in refused(lambda path: read_scan(path, layout), file(**datasets))


def test_arrays_in_other_files_are_not_followed(file, tmp_path, refused):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["kspace"] = numbers((2, 3, 8, 9))
    path = file(kspace=h5py.ExternalLink("other.h5", "/kspace"))
    assert "holds no complex array" in refused(read_scan, path)
