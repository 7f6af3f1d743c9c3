import numpy as np
import pytest

from gleam.errors import BadInput
from gleam.simulation import scan as module
from gleam.simulation import simulate_scan
from gleam.simulation.acquire import encode

NOISELESS = 1e9


def to_image(kspace, dims=2):
    """The centred orthonormal inverse transform over the last axes, written out independently."""
    for axis in range(-dims, 0):
        n = kspace.shape[axis]
        grid = np.arange(n) - n // 2
        matrix = np.exp(2j * np.pi * np.outer(grid, grid) / n) / np.sqrt(n)
        kspace = np.moveaxis(np.tensordot(matrix, kspace, (1, axis)), 0, axis)
    return kspace


def crop(image, matrix):
    index = tuple(
        slice(s // 2 - n // 2, s // 2 - n // 2 + n)
        for s, n in zip(image.shape[-len(matrix) :], matrix, strict=True)
    )
    return image[(..., *index)]


def combined(scan):
    dims = len(scan.matrix)
    images = crop(to_image(np.asarray(scan.kspace), dims), scan.matrix)
    return np.sqrt(np.sum(abs(images) ** 2, axis=1))[:, 0]


@pytest.mark.parametrize("shape", [(32, 48), (33, 27), (16, 20, 17)])
@pytest.mark.parametrize("oversampling", [1, 2])
def test_scan_says_what_it_holds(shape, oversampling):
    slices = 2 if len(shape) == 2 else 1
    scan = simulate_scan(shape, 3, slices, 20.0, 0, oversampling, name="a")
    assert scan.readout == 0
    space = (shape[0] * oversampling, *shape[1:])
    assert scan.kspace.shape == (slices, 3, 1, *space)
    assert np.asarray(scan.kspace).dtype == np.complex64
    assert scan.sampled.all()
    assert scan.matrix == shape
    assert scan.calibration == tuple((0, n) for n in space)
    assert len(scan.voxel) == 3
    assert scan.name == "a"
    assert scan.contrast["acquisition"] == "simulated"
    # the middle voxel is at the origin; x comes first in the affine
    sizes = (slices, *shape) if len(shape) == 2 else shape
    middle = [*(n // 2 for n in reversed(sizes)), 1]
    np.testing.assert_allclose(scan.affine @ middle, [0, 0, 0, 1], atol=1e-9)
    y = 0 if len(shape) == 2 else 1
    assert scan.affine[1, 1] == scan.voxel[y]
    assert scan.affine[2, 2] == scan.voxel[2 if len(shape) == 2 else 0]


@pytest.mark.parametrize("shape", [(40, 40), (41, 39), (16, 32, 24)])
@pytest.mark.parametrize("snr", [5.0, 50.0])
def test_snr_is_as_stated(shape, snr):
    noisy = simulate_scan(shape, 4, 1, snr, 3)
    clean = simulate_scan(shape, 4, 1, NOISELESS, 3)
    image = combined(clean)
    signal = image[image > 0.1 * image.max()].mean()
    noise = to_image(np.asarray(noisy.kspace) - np.asarray(clean.kspace), len(shape))
    assert noise.real.std() == pytest.approx(noise.imag.std(), rel=0.05)
    assert signal / noise.real.std() == pytest.approx(snr, rel=0.08)
    # white, and independent between coils
    covariance = np.cov(noise[0, :, 0].reshape(4, -1))
    np.testing.assert_allclose(covariance / covariance[0, 0].real, np.eye(4), atol=0.12)
    assert noisy.contrast["SNR"] == pytest.approx(snr)


def test_ranges_are_drawn_from():
    scans = [simulate_scan((16, 16), (2, 4), 1, (5.0, 50.0), (0, i)) for i in range(40)]
    assert {s.kspace.shape[1] for s in scans} == {2, 3, 4}
    ratios = [float(s.contrast["SNR"]) for s in scans]
    assert 5 <= min(ratios) < 8
    assert 32 < max(ratios) <= 50


def test_scan_is_a_function_of_its_seed():
    first, again, other = (simulate_scan((32, 32), 2, 1, 20.0, s) for s in ((1, 2), (1, 2), (1, 3)))
    np.testing.assert_array_equal(np.asarray(first.kspace), np.asarray(again.kspace))
    assert np.abs(np.asarray(first.kspace) - np.asarray(other.kspace)).max() > 1e-3


def test_slices_show_different_anatomy_through_the_same_coils():
    scan = simulate_scan((32, 32), 2, 2, NOISELESS, 1)
    images = combined(scan)
    assert np.corrcoef(images[0].ravel(), images[1].ravel())[0, 1] < 0.95


def _blob(shape, place):
    """A Gaussian at `place` (in coarse voxels from the centre) on the fine grid."""
    mesh = np.ix_(*((np.arange(2 * n) - n) / 2 - p for n, p in zip(shape, place, strict=True)))
    return np.exp(-sum(x**2 for x in mesh) / 2 / 1.5**2 + 0.4j).astype(np.complex64)


@pytest.mark.parametrize("shape", [(32, 32), (31, 33), (32, 25), (24, 20, 27)])
@pytest.mark.parametrize("oversampling", [1, 2, 3])
def test_encoding_crops_back_to_the_image_voxel_by_voxel(shape, oversampling):
    """K-space is centred: a band-limited object comes back where it was, and as bright."""
    place = (3, -4, 2)[: len(shape)]
    fine = _blob(shape, place)
    space = (shape[0] * oversampling, *shape[1:])
    wide = tuple(2 * n for n in space)
    image = crop(to_image(encode(fine, space, wide), len(shape)), shape)
    start = tuple(slice(n - 2 * (n // 2), None, 2) for n in shape)
    np.testing.assert_allclose(image, fine[start], atol=2e-4)
    peak = np.unravel_index(abs(image).argmax(), shape)
    assert peak == tuple(n // 2 + p for n, p in zip(shape, place, strict=True))


def test_kspace_of_a_point_in_the_middle_is_flat():
    fine = np.zeros((40, 40), np.complex64)
    fine[20, 20] = 1
    kspace = encode(fine, (40, 20), (80, 40))
    np.testing.assert_allclose(kspace, kspace[0, 0], rtol=1e-4)


def test_edges_ring_as_the_grid_is_finer_than_the_voxels():
    """No inverse crime: a step on the fine grid is not the same step in voxels."""
    fine = np.zeros((64, 64), np.complex64)
    fine[17:47, 17:47] = 1
    image = abs(to_image(encode(fine, (32, 32), (64, 64))))
    assert image.max() > 1.05
    assert image[16, 2:6].max() > 0.005


def test_scan_shows_the_anatomy_it_drew(monkeypatch):
    """The root sum of squares is the drawn magnitude times the coils', voxel by voxel."""
    anatomies = []
    monkeypatch.setattr(
        module,
        "draw_anatomy",
        lambda s, *_: anatomies.append(_blob((32, 32), (5, -3))) or anatomies[-1],
    )
    monkeypatch.setattr(
        module, "SimulatedCoils", lambda s, c, _: np.ones((c, *s), np.complex64) / c**0.5
    )
    scan = simulate_scan((32, 32), 4, 1, NOISELESS, 0)
    np.testing.assert_allclose(combined(scan)[0], abs(anatomies[0][::2, ::2]), atol=2e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (32,)}, "1 axes"),
        ({"shape": (32, 8)}, "too small"),
        ({"coils": 0}, r"coils \(0, 0\)"),
        ({"coils": (4, 2)}, "lowest then highest"),
        ({"slices": 0}, "slices is 0"),
        ({"shape": (16, 16, 16), "slices": 2}, "2 slices of a 3D"),
        ({"snr": 0.0}, "SNR"),
        ({"snr": (5.0, float("nan"))}, "SNR"),
        ({"oversampling": 0}, "oversampling is 0"),
        ({"frames": 3}, r"3 frames of shape \(32, 32\); use 1, or 4"),
        ({"frames": 0}, "0 frames"),
        ({"oversized": 1.5}, "oversized is 1.5; use a share"),
        ({"frames": 8, "shape": (16, 16, 16)}, "8 frames of shape"),
    ],
)
def test_bad_sizes_are_refused(change, message):
    arguments = {"shape": (32, 32), "coils": 2, "slices": 1, "snr": 20.0, "seed": 0} | change
    with pytest.raises(BadInput, match=message):
        simulate_scan(**arguments)


@pytest.mark.parametrize(
    ("most", "grid"), [(2**25, (48, 40, 32)), (24000, (35, 29, 23)), (1, (24, 20, 16))]
)
def test_large_volumes_are_drawn_on_a_grid_that_fits(monkeypatch, most, grid):
    """And are as bright, and where they were."""
    grids = []

    def block(shape, *_):
        grids.append(shape)
        mesh = np.ix_(*((np.arange(n) - n // 2) / n for n in shape))
        return np.exp(-sum(x**2 for x in mesh) * 40).astype(np.complex64)

    monkeypatch.setattr(module, "_MOST", most)
    monkeypatch.setattr(module, "draw_anatomy", block)
    monkeypatch.setattr(
        module, "SimulatedCoils", lambda s, c, _: np.ones((c, *s), np.complex64) / c**0.5
    )
    image = combined(simulate_scan((24, 20, 16), 4, 1, NOISELESS, 2, oversampling=1))[0]
    assert grids == [grid]
    np.testing.assert_allclose(image, block((24, 20, 16), None).real, atol=2e-3)


def test_anatomy_of_a_volume_varies_along_every_axis():
    volume = combined(simulate_scan((32, 36, 28), 4, 1, NOISELESS, 5))[0]
    body = volume > 0.1 * volume.max()
    for axis in range(3):
        inner = body.any(axis=tuple({0, 1, 2} - {axis}))
        planes = np.moveaxis(volume, axis, 0)[inner]
        likeness = np.corrcoef(planes.reshape(len(planes), -1))
        assert likeness[0, -1] < 0.9  # far planes differ
        assert np.median(np.diag(likeness, 1)) > 0.7  # near ones hardly


def test_series_shows_one_beat_through_the_same_coils():
    scan = simulate_scan((32, 28), 3, 2, NOISELESS, 4, 1, frames=6)
    assert scan.kspace.shape == (2, 3, 6, 32, 28)
    assert 600 <= float(scan.contrast["frame_time"]) * 6 <= 1200
    assert scan.sampled.shape == (1, 1, 1)
    assert scan.complete
    images = to_image(np.asarray(scan.kspace))
    energy = np.sum(abs(images) ** 2, axis=1, keepdims=True)
    shares = abs(images) ** 2 / energy
    bright = (energy > 0.1 * energy.max()).all(axis=2)[0, 0]
    assert np.ptp(shares[0], axis=1)[:, bright].mean() < 0.02  # coils stand still
    assert np.ptp(np.sqrt(energy[0, 0]), axis=0).max() > 0.2 * np.sqrt(energy).max()


def test_noise_is_drawn_for_every_frame():
    noisy, clean = (
        np.asarray(simulate_scan((24, 24), 2, 1, snr, 3, 1, frames=5).kspace)
        for snr in (20.0, NOISELESS)
    )
    noise = (noisy - clean).swapaxes(1, 2)[0].reshape(5, -1)
    likeness = np.corrcoef(noise)
    assert abs(likeness[~np.eye(5, dtype=bool)]).max() < 0.15
    np.testing.assert_allclose(np.std(noise, axis=1), np.std(noise), rtol=0.1)
