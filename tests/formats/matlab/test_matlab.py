import pickle
import struct
import zlib

import h5py
import numpy as np
import pytest
import scipy.io
from matlab_files import save6, save7, save73

from gleam.errors import BadInput
from gleam.formats import read_scan
from gleam.formats.layout import Layout
from gleam.formats.matlab import file as matlab

AXES = Layout.parse("y x coil slice")


@pytest.fixture
def kspace():
    """(y, x, coil, slice), as MATLAB shows it."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(8, 9, 3, 2)) + 1j * rng.normal(size=(8, 9, 3, 2))


every_version = pytest.mark.parametrize("save", [save73, save7, save6])


@every_version
def test_words_stand_in_matlabs_order(tmp_path, kspace, save):
    save(tmp_path / "scan.mat", raw=kspace, mask=np.ones((8, 9)), map=kspace[..., 0, 0])
    scan = read_scan(tmp_path / "scan.mat", Layout.parse("y:readout x coil slice"))
    assert scan.name == "scan"
    assert scan.kspace.shape == (2, 3, 1, 8, 9)
    assert scan.readout == 0
    assert scan.complete
    again = pickle.loads(pickle.dumps(scan.kspace))
    for index in range(2):
        expected = kspace[..., index].transpose(2, 0, 1)[:, None].astype(np.complex64)
        assert scan.kspace[index].dtype == np.complex64
        np.testing.assert_array_equal(scan.kspace[index], expected)
        np.testing.assert_array_equal(again[index], expected)


@every_version
def test_zero_in_every_coil_was_not_sampled(tmp_path, kspace, save):
    kspace[:, :2] = 0
    kspace[0, 4, 1] = 0  # one coil only
    save(tmp_path / "scan.mat", raw=kspace)
    scan = read_scan(tmp_path / "scan.mat", AXES)
    np.testing.assert_array_equal(scan.sampled[0, 0], np.arange(9) >= 2)


@every_version
def test_which_array(tmp_path, kspace, save, refused):
    path = tmp_path / "scan.mat"
    save(path, once=kspace, twice=2 * kspace, mask=np.ones((8, 9)))
    message = refused(lambda path: read_scan(path, AXES), path)
    assert "holds 'once' (8 × 9 × 3 × 2), 'twice' (8 × 9 × 3 × 2); say by --variable" in message
    scan = read_scan(path, Layout.parse("y x coil slice", "twice"))
    assert scan.kspace[0][0, 0, 0, 0] == np.complex64(2 * kspace[0, 0, 0, 0])


@every_version
@pytest.mark.parametrize("name", ["rew", "mask", "../raw", "/raw"])
def test_an_array_that_is_not_there(tmp_path, kspace, save, name, refused):
    save(tmp_path / "scan.mat", raw=kspace, mask=np.ones((8, 9)))
    layout = Layout.parse("y x coil slice", name)
    assert "raw" in refused(lambda path: read_scan(path, layout), tmp_path / "scan.mat")


@every_version
def test_axes_that_nobody_named(tmp_path, kspace, save, refused):
    save(tmp_path / "scan.mat", raw=kspace)
    message = refused(read_scan, tmp_path / "scan.mat")
    assert "'raw' (8 × 9 × 3 × 2)" in message
    assert "--axes" in message


@every_version
def test_no_kspace(tmp_path, save, refused):
    save(tmp_path / "scan.mat", raw=np.ones((8, 9, 3)), empty=np.zeros((0, 0, 0)) * 1j)
    assert "no complex array" in refused(lambda p: read_scan(p, AXES), tmp_path / "scan.mat")


@every_version
def test_a_single_coil(tmp_path, kspace, save):
    save(tmp_path / "scan.mat", raw=kspace[:, :, 0, 0])
    scan = read_scan(tmp_path / "scan.mat", Layout.parse("y x"))
    assert scan.kspace.shape == (1, 1, 1, 8, 9)


@every_version
@pytest.mark.parametrize("value", [np.nan, 1e300])
def test_values_that_are_not_finite(tmp_path, kspace, save, value, refused):
    kspace[1, 1, 1, 1] = value
    save(tmp_path / "scan.mat", raw=kspace)
    assert "slice 1" in refused(lambda p: read_scan(p, AXES), tmp_path / "scan.mat")


def element(order, kind, content):
    padding = b"" if kind == 15 else bytes(-len(content) % 8)
    return struct.pack(f"{order}II", kind, len(content)) + content + padding


def small_element(order, kind, content):
    return struct.pack(f"{order}I", len(content) << 16 | kind) + content.ljust(4, b"\0")


def matrix(order, shape, real, imaginary, class_=6, name=b"raw", flags=0x800):
    """A variable by the format's description; the parts are (type, bytes)."""
    label = small_element if len(name) <= 4 else element
    return b"".join(
        [
            element(order, 6, struct.pack(f"{order}II", flags | class_, 0)),
            element(order, 5, struct.pack(f"{order}{len(shape)}i", *shape)),
            label(order, 1, name),
            *(element(order, *part) for part in (real, imaginary)),
        ]
    )


def write5(path, order, *elements):
    version = struct.pack(f"{order}HH", 0x100, ord("M") << 8 | ord("I"))
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + version + b"".join(elements))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "dtype"), [(3, "i2"), (2, "u1"), (7, "f4")])
@pytest.mark.parametrize("packed", [False, True])
def test_numbers_stored_in_smaller_types(tmp_path, order, kind, dtype, packed):
    """MATLAB stores doubles that are small integers as such; and files travel between machines."""
    real, imaginary = np.arange(1, 121).reshape(2, 60).astype(order + dtype)
    body = matrix(order, (4, 5, 3), (kind, real.tobytes()), (kind, imaginary.tobytes()))
    variable = element(order, 14, body)
    if packed:
        variable = element(order, 15, zlib.compress(variable))
    write5(tmp_path / "scan.mat", order, variable)
    scan = read_scan(tmp_path / "scan.mat", Layout.parse("y x coil"))
    expected = (real + 1j * imaginary).reshape((4, 5, 3), order="F").transpose(2, 0, 1)
    np.testing.assert_array_equal(scan.kspace[0][:, 0], expected)
    if (kind, packed) == (7, False):  # what SciPy makes of the same file
        read = scipy.io.loadmat(tmp_path / "scan.mat")["raw"]
        np.testing.assert_array_equal(read.transpose(2, 0, 1), expected)


REAL = (9, np.ones(60).tobytes())


@pytest.mark.parametrize(
    "variable",
    [
        element("<", 14, matrix("<", (4, 5, 3), REAL, (9, bytes(8 * 59)))),
        element("<", 14, matrix("<", (4, 5, 4), REAL, REAL)),
        element("<", 14, matrix("<", (2**30, 2**30, 2**30), REAL, REAL)),
        element("<", 14, matrix("<", (4, 5, -3), REAL, REAL)),
        element("<", 14, matrix("<", (1,) * 500, REAL, REAL)),
        element("<", 14, matrix("<", (4, 5, 3), (99, REAL[1]), REAL)),
        element("<", 14, matrix("<", (4, 5, 3), REAL, REAL)[:-8]),
        struct.pack("<II", 14, 2**31),
        struct.pack("<II", 14, 0),
        struct.pack("<II", 3, 8) + bytes(8),
        bytes(3),
        element("<", 15, b"not packed"),
        element("<", 15, zlib.compress(struct.pack("<II", 14, 2**32 - 1) + bytes(10**6))),
        element("<", 15, zlib.compress(element("<", 14, matrix("<", (4, 5, 3), REAL, REAL)))[:40]),
    ],
)
def test_sizes_that_the_file_does_not_hold(tmp_path, variable, refused):
    write5(tmp_path / "scan.mat", "<", variable)
    refused(lambda path: read_scan(path, AXES), tmp_path / "scan.mat")


@pytest.mark.parametrize("class_", [1, 2, 3, 4, 5, 16, 17])
def test_what_is_no_array_is_stepped_over(tmp_path, class_):
    array = element("<", 14, matrix("<", (4, 5, 3), REAL, REAL))
    other = element("<", 14, matrix("<", (4, 5, 3), REAL, REAL, class_, b"object"))
    write5(tmp_path / "scan.mat", "<", other, array, other)
    assert read_scan(tmp_path / "scan.mat", Layout.parse("y x coil")).kspace.shape[1] == 3


def test_objects_of_every_kind_beside_the_array(tmp_path, kspace):
    cell = np.array([kspace, "text"], dtype=object)
    save7(tmp_path / "scan.mat", raw=kspace, text="words", cell=cell, struct={"kspace": kspace})
    assert read_scan(tmp_path / "scan.mat", AXES).kspace.shape == (2, 3, 1, 8, 9)


def test_links_out_of_the_file_are_not_followed(tmp_path, kspace, refused):
    save73(tmp_path / "other.mat", raw=kspace)
    with h5py.File(tmp_path / "scan.mat", "w") as file:
        file["raw"] = h5py.ExternalLink(str(tmp_path / "other.mat"), "raw")
        file["soft"] = h5py.SoftLink("/raw")
    assert "no complex array" in refused(lambda p: read_scan(p, AXES), tmp_path / "scan.mat")


@pytest.mark.parametrize("content", [b"", b"MATLAB", bytes(200), b"\x89HDF\r\n\x1a\n" + bytes(99)])
def test_other_files(tmp_path, content, refused):
    (tmp_path / "scan.mat").write_bytes(content)
    refused(read_scan, tmp_path / "scan.mat")


@every_version
def test_a_damaged_file_is_refused_or_read(tmp_path, kspace, save):
    path = tmp_path / "scan.mat"
    save(path, raw=kspace)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refusals = []
    for _ in range(100):
        damaged = bytearray(whole)
        for at in rng.integers(124, rng.choice([200, 3000, len(whole)]), size=5):
            damaged[at % len(whole)] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged[: int(rng.choice([300, len(whole)]))])
        try:
            read_scan(path, AXES)
        except BadInput as error:
            refusals.append(str(error))
    assert len(refusals) > 10
    assert not any("\n" in message for message in refusals)


def test_real_brain(shared_data):
    scan = read_scan(shared_data / "brain16ch_96.mat", Layout.parse("x y coil"))
    with h5py.File(shared_data / "brain16ch_96.mat") as file:
        raw = file["raw"][:, 0]
    assert scan.complete
    expected = (raw["real"] + 1j * raw["imag"]).astype(np.complex64)
    np.testing.assert_array_equal(scan.kspace[0][:, 0], expected)
    assert scan.calibration == ((0, 96), (0, 96))


def test_real_wrapped_brain(shared_data):
    path = shared_data / "brain8ch_smallfov_full.mat"
    scan = read_scan(path, Layout.parse("y:readout x coil"))
    expected = scipy.io.loadmat(path)["DATA"].transpose(2, 0, 1).astype(np.complex64)
    np.testing.assert_array_equal(scan.kspace[0][:, 0], expected)
    columns = np.arange(256)
    np.testing.assert_array_equal(scan.sampled[0, 0], (columns >= 44) & (columns <= 211))
    assert scan.complete
    assert scan.calibration == ((0, 320), (44, 212))


def test_real_volume_over_time(shared_data):
    path = shared_data / "hp13c_rat_3Dt_kspace_full.mat"
    scan = read_scan(path, Layout.parse("x y z frame"))
    expected = scipy.io.loadmat(path)["kspace_pf"].T.astype(np.complex64)
    assert scan.kspace.shape == (1, 1, 8, 12, 40, 80)
    np.testing.assert_array_equal(scan.kspace[0][0], expected)


def test_real_series_of_images(shared_data):
    path = shared_data / "dce_abdomen_complex_images.mat"
    found = matlab.read_image(path, Layout.parse("y x frame"))
    assert found.image.shape == (1, 20, 154, 112)
    assert found.image.imag.any()
    with pytest.raises(BadInput, match="does not say what the axes of its 154 × 112 × 20"):
        matlab.read_image(path)
