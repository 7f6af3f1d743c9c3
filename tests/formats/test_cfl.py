import pickle
import shutil
import subprocess

import numpy as np
import pytest

from gleam.formats import cfl, read_scan
from gleam.formats.layout import Layout
from gleam.formats.volume import Volume
from gleam.preparation.jobs import find_scans

needs_bart = pytest.mark.skipif(shutil.which("bart") is None, reason="BART is not installed")


def bart(folder, command):
    done = subprocess.run(
        ["bart", *command.split()], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def bart_array(path):
    """A cfl by its published layout: first dimension fastest, trailing ones dropped."""
    sizes = [int(n) for n in path.with_suffix(".hdr").read_text().splitlines()[1].split()]
    return np.fromfile(path, np.complex64).reshape(sizes, order="F").squeeze()


def centred_image(kspace):
    axes = (-2, -1)
    shifted = np.fft.ifft2(np.fft.ifftshift(kspace, axes), axes=axes, norm="ortho")
    return np.fft.fftshift(shifted, axes)


@needs_bart
def test_the_image_of_bart_kspace_is_barts_image(tmp_path):
    bart(tmp_path, "phantom -x 64 -s 4 -k k")
    bart(tmp_path, "resize -c 1 52 k cropped")  # rows and columns differ
    bart(tmp_path, "fft -i -u 7 cropped image")
    scan = read_scan(tmp_path / "cropped.cfl")
    assert scan.kspace.shape == (1, 4, 1, 64, 52)
    assert scan.readout == 0
    expected = bart_array(tmp_path / "image.cfl").transpose(2, 0, 1)
    found = centred_image(scan.kspace[0][:, 0])
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


@needs_bart
def test_bart_reads_what_we_write(tmp_path, make_scan):
    scan = make_scan((3, 4, 2, 10, 12))
    cfl.write_kspace(scan, tmp_path / "scan.cfl")
    assert bart(tmp_path, "show -m scan").split("AoD:")[1].split() == [
        *("10", "12", "1", "4", "1", "1", "1", "1", "1", "1", "2", "1", "1", "3", "1", "1")
    ]
    bart(tmp_path, "slice 13 1 10 1 3 2 scan one")
    np.testing.assert_array_equal(bart_array(tmp_path / "one.cfl"), scan.kspace[1][2, 1])


@needs_bart
def test_bart_reads_our_images(tmp_path):
    image = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).astype(np.complex64)
    cfl.write_image(Volume(image, (1.0, 1.0, 1.0), np.eye(4)), tmp_path / "image.cfl")
    bart(tmp_path, "slice 13 1 10 2 image one")
    np.testing.assert_array_equal(bart_array(tmp_path / "one.cfl"), image[1, 2])
    volume = np.arange(2 * 3 * 4 * 5).reshape(1, 2, 3, 4, 5).astype(np.complex64)
    cfl.write_image(Volume(volume, (1.0, 1.0, 1.0), np.eye(4)), tmp_path / "volume.cfl")
    bart(tmp_path, "slice 10 1 volume frame")
    np.testing.assert_array_equal(bart_array(tmp_path / "frame.cfl"), volume[0, 1])


@pytest.mark.parametrize(
    ("shape", "readout"),
    [((3, 2, 1, 8, 9), 0), ((1, 2, 4, 8, 9), None), ((1, 2, 2, 6, 8, 9), 0)],
)
def test_round_trip(tmp_path, make_scan, shape, readout):
    sampled = np.random.default_rng(1).random(shape[2:]) < 0.5
    scan = make_scan(shape, sampled, readout=readout)
    cfl.write_kspace(scan, tmp_path / "scan.cfl")
    back = pickle.loads(pickle.dumps(read_scan(tmp_path / "scan.cfl")))
    assert back.kspace.shape == shape
    assert back.readout == readout
    np.testing.assert_array_equal(back.sampled, scan.sampled)
    for index in range(shape[0]):
        np.testing.assert_array_equal(back.kspace[index], scan.kspace[index])


def test_the_readout_is_written_to_barts_first_dimension(tmp_path, make_scan):
    scan = make_scan((1, 2, 1, 6, 8, 9), readout=2)
    cfl.write_kspace(scan, tmp_path / "scan.cfl")
    back = read_scan(tmp_path / "scan.cfl")
    assert back.readout == 0
    np.testing.assert_array_equal(back.kspace[0], np.moveaxis(scan.kspace[0], 4, 2))


def test_real_brain(shared_data):
    full = read_scan(shared_data / "brain8ch_espirit_full.cfl")
    assert full.kspace.shape == (1, 8, 1, 230, 180)
    assert full.readout is None
    assert full.complete
    assert full.calibration == ((0, 230), (0, 180))
    strength = np.abs(full.kspace[0]).sum((0, 1))
    peak = np.unravel_index(strength.argmax(), strength.shape)
    np.testing.assert_allclose(peak, (115, 90), atol=1)  # the echo itself is one sample late


def test_real_undersampled_brain(shared_data):
    full = read_scan(shared_data / "brain8ch_espirit_full.cfl")
    scan = read_scan(shared_data / "brain8ch_espirit_und2x2.hdr")
    assert scan.sampled.mean() == pytest.approx(0.26, abs=0.005)
    assert not scan.complete
    assert scan.calibration == ((105, 125), (80, 100))
    np.testing.assert_array_equal(scan.kspace[0], full.kspace[0] * scan.sampled)


def pair(folder, header, count=0, value=1):
    path = folder / "broken.cfl"
    np.full(count, value, np.complex64).tofile(path)
    path.with_suffix(".hdr").write_bytes(header)
    return path


@pytest.mark.parametrize(
    ("header", "count"),
    [
        (b"# Dimensions\n8 9 1 2\n", 143),  # cut off
        (b"# Dimensions\n8 9 1 2\n", 145),
        (b"# Dimensions\n" + b"1048576 " * 16, 4),
        (b"# Dimensions\n" + b"9" * 5000, 4),
        (b"# Dimensions\n-8 -9 1 2\n", 144),
        (b"# Dimensions\n8 9 1 0\n", 0),
        (b"# Dimensions\n8 nine 1 2\n", 144),
        (b"# Dimensions\n8 9 1 2" + b" 1" * 14 + b" 2", 288),
        (b"# Dimensions\n" + b"1 " * 33, 1),
        (b"# Dimensions", 144),
        (b"\xff\x00\xfe", 144),
        (b"", 144),
        (b"# Dimensions\n8 1 1 2\n", 16),  # one space axis
        (b"# Dimensions\n2 2 2 1 1 1 1 1 1 1 1 1 1 2\n", 16),  # slices of volumes
        (b"# Dimensions\n4 4 1 1 2\n", 32),  # map sets
    ],
)
def test_broken_pairs_are_refused(tmp_path, refused, header, count):
    refused(read_scan, pair(tmp_path, header, count))


@pytest.mark.parametrize(
    "header",
    [
        b"# Dimensions\n8 9 1 2 1 1 1 1 1 1 1 1 1 1 1 1 \n# Command\nfft a b\n# Creator\nBART\n",
        b"# Dimensions\r\n8 9 1 2 1 1 1 1 1 1 1 1 1 1 1 1 1 1\r\n",
        b"# Creator\nBART\n\n# Dimensions \n\n8 9 1 2\n",
    ],
)
def test_headers_as_bart_and_others_write_them(tmp_path, header):
    scan = read_scan(pair(tmp_path, header, 144))
    assert scan.kspace.shape == (1, 2, 1, 8, 9)


@pytest.mark.parametrize("name", ["scan", "scan.1", "scan.cfl", "scan.hdr"])
def test_bart_names_its_pairs_without_suffix(tmp_path, make_scan, name):
    scan = make_scan((1, 2, 1, 8, 9))
    stem = name.removesuffix(".cfl").removesuffix(".hdr")
    cfl.write_kspace(scan, tmp_path / f"{stem}.cfl")
    assert (tmp_path / f"{stem}.hdr").is_file()
    assert find_scans([tmp_path / name]) == [tmp_path / f"{stem}.cfl"]
    found = read_scan(tmp_path / name)
    assert found.name == stem
    np.testing.assert_array_equal(found.kspace[0], scan.kspace[0])


def test_a_pair_without_data_is_half_a_pair(tmp_path, refused):
    path = pair(tmp_path, b"# Dimensions\n2 2\n", 4)
    path.unlink()
    assert "come in pairs" in refused(read_scan, path.with_suffix(".hdr"))


def test_oversampled_readout(tmp_path, make_scan, refused):
    cfl.write_kspace(make_scan((1, 2, 1, 8, 10)), tmp_path / "scan.cfl")
    scan = read_scan(tmp_path / "scan.cfl", Layout.parse(None, None, "y"))
    assert (scan.readout, scan.matrix) == (0, (4, 10))
    scan = read_scan(tmp_path / "scan.cfl", Layout.parse(None, None, "x:1.25"))
    assert (scan.readout, scan.matrix) == (1, (8, 8))
    layout = Layout.parse(None, None, "z")
    assert "no axis 'z'" in refused(lambda p: read_scan(p, layout), tmp_path / "scan.cfl")


@needs_bart
def test_axes_named_by_the_user(tmp_path, refused):
    bart(tmp_path, "phantom -x 16 -s 4 -k k")
    bart(tmp_path, "resize -c 1 12 k cropped")
    bart(tmp_path, "transpose 3 5 cropped moved")  # coils where BART has echoes
    message = refused(read_scan, tmp_path / "moved.cfl")
    assert "dimension 5" in message
    assert "--axes" in message
    scan = read_scan(tmp_path / "moved.hdr", Layout.parse("x:readout y coil"))
    assert scan.readout == 1
    expected = read_scan(tmp_path / "cropped.cfl").kspace[0].swapaxes(2, 3)
    np.testing.assert_array_equal(scan.kspace[0], expected)


def test_half_a_pair_is_refused(tmp_path, refused):
    path = pair(tmp_path, b"# Dimensions\n2 2\n", 4)
    path.with_suffix(".hdr").unlink()
    assert "come in pairs" in refused(read_scan, path)


def test_values_that_are_not_finite_are_refused(tmp_path, refused):
    path = pair(tmp_path, b"# Dimensions\n4 4\n", 16, np.nan)
    assert "slice 0" in refused(lambda path: read_scan(path).kspace[0], path)


def test_a_failed_write_leaves_nothing(tmp_path, make_scan):
    scan = make_scan((2, 2, 1, 4, 5))
    kspace = scan.kspace.copy()

    class Failing:
        shape = kspace.shape

        def __getitem__(self, index):
            if index == 1:
                raise RuntimeError("disk")
            return kspace[index]

    broken = make_scan((2, 2, 1, 4, 5), kspace=Failing())
    with pytest.raises(RuntimeError, match="disk"):
        cfl.write_kspace(broken, tmp_path / "scan.cfl")
    assert list(tmp_path.iterdir()) == []
