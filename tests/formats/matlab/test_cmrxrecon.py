"""Files made from the challenge's description, by h5py alone; sizes are smaller."""

import h5py
import numpy as np
import pytest

from gleam.formats import read_scan
from gleam.formats.layout import Layout

NX, NY, NC, NZ, NT = 24, 20, 3, 2, 4


@pytest.fixture
def kspace():
    """(nx, ny, nc, nz, nt), fully sampled."""
    rng = np.random.default_rng(0)
    shape = (NX, NY, NC, NZ, NT)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)


@pytest.fixture
def make_file(tmp_path):
    """As MATLAB saves single-precision complex arrays in version 7.3: the last axis comes first."""

    def make(file="cine_sax.mat", **arrays):
        with h5py.File(tmp_path / file, "w", userblock_size=512) as out:
            for name, array in arrays.items():
                if array.dtype == np.complex64:
                    pairs = np.ascontiguousarray(array.T).view([("real", "<f4"), ("imag", "<f4")])
                    out.create_dataset(name, data=pairs, compression="gzip")
                else:
                    out[name] = array.T
                out[name].attrs["MATLAB_class"] = np.bytes_("single")
        with open(tmp_path / file, "r+b") as raw:
            raw.write(b"MATLAB 7.3 MAT-file, Platform: PCWIN64".ljust(124) + b"\0\2IM")
        return tmp_path / file

    return make


def test_cine(make_file, kspace):
    scan = read_scan(make_file(kspace_full=kspace))
    assert scan.name == "cine_sax"
    assert scan.format == "CMRxRecon, MATLAB 7.3"
    assert scan.kspace.shape == (NZ, NC, NT, NX, NY)
    assert scan.readout == 0
    assert scan.complete
    for index in range(NZ):
        expected = kspace[:, :, :, index].transpose(2, 3, 0, 1)
        np.testing.assert_array_equal(scan.kspace[index], expected)


@pytest.mark.parametrize("acceleration", ["04", "08", "10"])
def test_lines_left_out_in_2023(make_file, kspace, acceleration):
    lines = np.zeros(NY, bool)
    lines[:: int(acceleration)] = True
    lines[NY // 2 - 3 : NY // 2 + 3] = True  # the calibration lines
    kept = kspace * lines[:, None, None, None]
    scan = read_scan(make_file("T1map.mat", **{f"kspace_sub{acceleration}": kept}))
    np.testing.assert_array_equal(scan.sampled, np.broadcast_to(lines, (NT, NX, NY)))
    assert not scan.complete
    assert scan.calibration == ((0, NX), (7, 13))


def test_masks_by_frame_in_2024(make_file, kspace):
    """Pseudo-radial: undersampled along both axes, otherwise in every frame."""
    mask = np.random.default_rng(1).random((NX, NY, NT)) < 0.3
    mask[NX // 2 - 2 : NX // 2 + 2, NY // 2 - 2 : NY // 2 + 2] = True
    path = make_file("cine_lax_kus_ktRadial4.mat", kus=kspace * mask[:, :, None, None])
    np.testing.assert_array_equal(read_scan(path).sampled, mask.transpose(2, 0, 1))


def test_without_frames(make_file, kspace):
    """Black blood is (nx, ny, nc, nz)."""
    scan = read_scan(make_file("blackblood.mat", kspace_full=kspace[..., 0]))
    assert scan.kspace.shape == (NZ, NC, 1, NX, NY)


def test_one_of_several(make_file, kspace, refused):
    path = make_file(kspace_full=kspace, kspace_sub04=kspace * 2)
    assert "--variable" in refused(read_scan, path)
    scan = read_scan(path, Layout.parse(None, "kspace_sub04"))
    assert scan.kspace[0][0, 0, 0, 0] == 2 * kspace[0, 0, 0, 0, 0]


@pytest.mark.parametrize("name", ["kspace_single_full", "kspace_single_sub04"])
def test_single_coil_is_refused(make_file, kspace, name, refused):
    assert "use the multi-coil file" in refused(read_scan, make_file(**{name: kspace[:, :, 0]}))


def test_masks_hold_no_kspace(make_file, refused):
    path = make_file("cine_sax_mask.mat", mask04=np.ones((NX, NY)))
    assert "no complex array" in refused(read_scan, path)


def test_what_the_user_says_goes_before(make_file, kspace):
    scan = read_scan(make_file(kspace_full=kspace), Layout.parse("x y coil slice frame"))
    assert scan.space == (NY, NX)
