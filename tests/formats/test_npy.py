import numpy as np
import pytest

from gleam.errors import BadInput
from gleam.formats import npy, read_scan
from gleam.formats.layout import Layout
from gleam.formats.volume import Volume


@pytest.mark.parametrize(
    ("stored", "shape"),
    [
        ((3, 8, 9), (1, 3, 1, 8, 9)),
        ((2, 3, 8, 9), (2, 3, 1, 8, 9)),
        ((2, 3, 4, 8, 9), (2, 3, 4, 8, 9)),
    ],
)
@pytest.mark.parametrize("dtype", ["c8", "c16", ">c8"])
def test_axes(tmp_path, make_scan, stored, shape, dtype):
    expected = make_scan(shape).kspace
    np.save(tmp_path / "scan.npy", expected.reshape(stored).astype(dtype))
    scan = read_scan(tmp_path / "scan.npy")
    assert scan.kspace.shape == shape
    assert scan.readout is None
    for index in range(shape[0]):
        assert scan.kspace[index].dtype == np.dtype("c8")
        np.testing.assert_array_equal(scan.kspace[index], expected[index])
    with pytest.raises(IndexError):
        scan.kspace[shape[0]]


def test_real_poisson_brain(shared_data):
    scan = read_scan(shared_data / "brain8ch_poisson_us_sigpy.npy")
    assert scan.kspace.shape == (1, 8, 1, 230, 180)
    assert scan.sampled.mean() == pytest.approx(0.12, abs=0.005)
    assert scan.calibration == ((103, 127), (78, 102))  # 24 × 24


def test_images_are_written_as_they_are(tmp_path):
    image = np.arange(24).reshape(2, 1, 3, 4).astype(np.complex64) * 1j
    npy.write_image(Volume(image, (1.0, 1.0, 1.0), np.eye(4)), tmp_path / "image.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "image.npy"), image)


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


@pytest.mark.parametrize(
    "array",
    [
        np.array([Bomb()], dtype=object),
        np.ones((3, 8, 9)),
        np.ones((8, 9), np.complex64),
        np.ones((3, 0, 9), np.complex64),
        np.full((3, 8, 9), np.nan, np.complex64),
        np.full((3, 8, 9), 1e300, np.complex128),
    ],
)
def test_other_arrays_are_refused(tmp_path, refused, array):
    np.save(tmp_path / "scan.npy", array)
    refused(lambda path: read_scan(path).kspace[0], tmp_path / "scan.npy")


def header(text):
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        header(b"{'descr': '<c8', 'fortran_order': False, 'shape': (3, 8, 9)}\n") + bytes(100),
        header(b"{'descr': '<c8', 'fortran_order': False, 'shape': (3, 10**9, 9)}\n"),
        header(b"{'descr': '<c8', 'fortran_order': False, 'shape': (1048576, 1048576, 8388608)}\n"),
        header(b"{'descr': '<c8', 'fortran_order': False, 'shape': (" + b"9" * 99 + b",)}\n"),
        header(b"{'descr': '<c8', 'fortran_order': False, 'shape': (-3, 8, -9)}\n") + bytes(1728),
        header(b"{'descr': '<c8', 'fortran_order': False, 'shape': (3, 8"),
        header(b"__import__('os')\n"),
        b"PK\x03\x04" + bytes(64),
    ],
)
def test_broken_files_are_refused(tmp_path, refused, content):
    (tmp_path / "scan.npy").write_bytes(content)
    refused(read_scan, tmp_path / "scan.npy")


def test_axes_named_by_the_user(tmp_path, make_scan):
    expected = make_scan((1, 3, 2, 4, 8, 9)).kspace
    np.save(tmp_path / "scan.npy", expected[0].transpose(4, 3, 2, 0, 1))
    scan = read_scan(tmp_path / "scan.npy", Layout.parse("x y z:readout coil frame"))
    assert scan.readout == 0
    np.testing.assert_array_equal(scan.kspace[0], expected[0])


def test_other_numbers_of_axes_need_names(tmp_path, refused):
    np.save(tmp_path / "scan.npy", np.ones((4, 4), np.complex64))
    assert "--axes" in refused(read_scan, tmp_path / "scan.npy")
    assert read_scan(tmp_path / "scan.npy", Layout.parse("y x")).kspace.shape == (1, 1, 1, 4, 4)


def test_an_array_has_no_name(tmp_path, refused):
    np.save(tmp_path / "scan.npy", np.ones((3, 4, 4), np.complex64))
    layout = Layout.parse("coil y x", "kspace")
    assert "--variable" in refused(lambda path: read_scan(path, layout), tmp_path / "scan.npy")


@pytest.mark.parametrize("dtype", ["c8", "c16", "f4", "f8", "i2", "u1", "?"])
def test_images_are_read_with_their_axes_named(tmp_path, dtype):
    array = (np.arange(6 * 5 * 7) % 50).reshape(6, 5, 7).astype(dtype)
    np.save(tmp_path / "image.npy", array)
    found = npy.read_image(tmp_path / "image.npy", Layout.parse("x frame y"))
    assert found.image.dtype == np.complex64
    np.testing.assert_array_equal(found.image, array.transpose(1, 2, 0)[None])
    assert found.voxel == (1, 1, 1)
    found = npy.read_image(tmp_path / "image.npy", Layout.parse("z y x"))
    np.testing.assert_array_equal(found.image, array[None, None])


@pytest.mark.parametrize(
    ("axes", "variable", "said"),
    [
        (None, None, "does not say what the axes of its 6 × 5 × 7 numbers mean"),
        ("coil y x", None, "neither coils nor a readout"),
        ("frame y x:readout", None, "neither coils nor a readout"),
        ("y x", None, "has 2 words"),
        ("frame y x", "image", "leave --variable out"),
    ],
)
def test_images_of_other_axes_are_refused(tmp_path, axes, variable, said):
    np.save(tmp_path / "image.npy", np.ones((6, 5, 7)))
    layout = Layout.parse(axes, variable) if axes else None
    with pytest.raises(BadInput, match=said):
        npy.read_image(tmp_path / "image.npy", layout)


def test_images_that_are_no_numbers_are_refused(tmp_path):
    path = tmp_path / "image.npy"
    for array in (np.array([["a", "b"]]), np.array([[Bomb()] * 2]), np.ones((0, 3))):
        np.save(path, array, allow_pickle=True)
        with pytest.raises(BadInput, match=r"image\.npy: "):
            npy.read_image(path, Layout.parse("y x"))
    np.save(path, np.full((4, 5), np.nan))
    with pytest.raises(BadInput, match="finite numbers"):
        npy.read_image(path, Layout.parse("y x"))
