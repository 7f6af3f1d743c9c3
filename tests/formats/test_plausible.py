import numpy as np
import pytest
from tiny import every_second_line, tiny_scan, undersampled

from gleam.formats import Layout, cfl, read_scan
from gleam.simulation import simulate_scan


def warnings(folder, array, axes="slice coil frame y:readout x"):
    np.save(folder / "scan.npy", array)
    return read_scan(folder / "scan.npy", Layout.parse(axes)).warnings


def scan(shape=(48, 40), coils=6, snr=50.0, frames=1, oversampling=1):
    return simulate_scan(shape, coils, 1, snr, 0, oversampling, frames=frames)


def images(kspace):
    axes = (-2, -1)
    return np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace, axes)), axes)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"coils": 1},
        {"coils": 32},
        {"snr": 2.0},
        {"shape": (47, 33)},
        {"shape": (96, 16), "coils": 16},
        {"oversampling": 2},
        {"frames": 20, "shape": (40, 40)},
        {"frames": 16, "shape": (16, 16)},
    ],
)
def test_kspace_looks_like_kspace(tmp_path, given):
    assert warnings(tmp_path, np.asarray(scan(**given).kspace)) == ()


def test_volumes_and_undersampled_scans_do_too(tmp_path):
    volume = np.asarray(scan((16, 24, 20), oversampling=1).kspace)
    assert warnings(tmp_path, volume, "slice coil frame z:readout y x") == ()
    lines = undersampled(tiny_scan(slices=1), every_second_line())
    assert warnings(tmp_path, np.asarray(lines.kspace)) == ()
    early = np.asarray(scan(coils=4).kspace) * (np.arange(40) < 26)
    assert warnings(tmp_path, early) == ()


def test_noise_and_single_points_raise_no_doubt(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(1, 20, 1, 48, 40)) + 1j * rng.normal(size=(1, 20, 1, 48, 40))
    assert warnings(tmp_path, noise) == ()
    point = np.zeros((1, 4, 1, 48, 40), complex)
    point[..., 20, 10] = 1
    assert warnings(tmp_path, np.fft.fft2(point)) == ()


@pytest.mark.parametrize("coils", [1, 6])
def test_coil_images_are_named(tmp_path, coils):
    (said,) = warnings(tmp_path, images(np.asarray(scan(coils=coils).kspace)))
    assert said.startswith("looks like coil images")


def test_kspace_that_is_not_centred_is_named(tmp_path):
    (said,) = warnings(tmp_path, np.fft.ifftshift(np.asarray(scan().kspace), (-2, -1)))
    assert "zero frequency is at the first sample" in said


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        ("y coil x", "96 coils of 16 × 96, whose energy"),
        ("y x coil", "96 coils of 16 × 96, whose energy"),
        ("y frame x", "96 frames of 16 × 96, whose energy"),
    ],
)
def test_axes_in_the_wrong_order_are_named(tmp_path, axes, says):
    kspace = np.asarray(scan((96, 96), coils=16).kspace)[0, :, 0]
    (said,) = warnings(tmp_path, kspace, axes)
    assert says in said
    assert "--axes" in said


def test_more_coils_than_a_matrix_can_have_are_named(tmp_path):
    rng = np.random.default_rng(0)
    kspace = rng.normal(size=(200, 20, 24)) + 0j
    (said,) = warnings(tmp_path, kspace, "coil y x")
    assert said == "its axes look exchanged: 200 coils of 20 × 24; check --axes"


def test_barts_pairs_are_looked_at_too(tmp_path, make_scan):
    given = np.asarray(scan().kspace)
    cfl.write_kspace(make_scan(given.shape, kspace=images(given)), tmp_path / "scan.cfl")
    assert "coil images" in read_scan(tmp_path / "scan.cfl").warnings[0]
