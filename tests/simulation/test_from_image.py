from dataclasses import replace

import numpy as np
import pytest

from gleam.errors import BadInput
from gleam.formats import Volume, read_image
from gleam.formats.scan import centred_affine
from gleam.simulation import from_image as module
from gleam.simulation import simulate_from_image

NOISELESS = 1e9


def volume(shape, complex=False, voxel=(3.0, 2.0, 5.0)):
    """(slice, frame, *space): smooth, real or complex, and on no axis symmetric."""
    slices, frames, *space = shape
    mesh = np.ix_(*(np.arange(n) / n - 0.45 for n in space))
    blob = np.exp(-sum((k + 2) * 4 * x**2 for k, x in enumerate(mesh)))
    levels = np.arange(1, 1 + slices * frames).reshape(slices, frames, *[1] * len(space))
    image = (40 * levels * blob * (np.exp(1j * mesh[-1]) if complex else 1)).astype(np.complex64)
    return Volume(image, voxel, centred_affine(tuple(space), voxel, slices), name="mine")


def images(scan):
    """(slice, coil, frame, *matrix), by the centred transform."""
    axes = tuple(range(3, 3 + len(scan.matrix)))
    kspace = np.asarray(scan.kspace)
    shifted = np.fft.ifftn(np.fft.ifftshift(kspace, axes), axes=axes, norm="ortho")
    found = np.fft.fftshift(shifted, axes)
    for axis, n in zip(axes, scan.matrix, strict=True):
        start = found.shape[axis] // 2 - n // 2
        found = found.take(range(start, start + n), axis)
    return found


@pytest.fixture
def uniform_coils(monkeypatch):
    monkeypatch.setattr(
        module, "SimulatedCoils", lambda s, c, _: np.ones((c, *s), np.complex64) / c**0.5
    )


@pytest.mark.parametrize(
    "shape", [(1, 1, 17, 20, 18), (1, 6, 24, 21), (3, 1, 20, 16), (2, 4, 16, 17)]
)
@pytest.mark.parametrize("oversampling", [1, 2])
def test_scan_shows_the_image(shape, oversampling, uniform_coils):
    given = volume(shape)
    scan = simulate_from_image(given, None, 3, NOISELESS, 0, oversampling, "a")
    assert scan.kspace.shape == (shape[0], 3, shape[1], shape[2] * oversampling, *shape[3:])
    assert (scan.name, scan.readout, scan.matrix) == ("a", 0, shape[2:])
    assert scan.complete
    found = np.linalg.norm(images(scan), axis=1)
    np.testing.assert_allclose(found, abs(given.image) / abs(given.image).max(), atol=1e-5)
    assert scan.voxel == given.voxel
    np.testing.assert_array_equal(scan.affine, given.affine)


def test_phase_is_drawn_for_real_images_only_and_stays_over_frames(uniform_coils):
    found = images(simulate_from_image(volume((1, 5, 20, 18)), None, 1, NOISELESS, 1))[0, 0]
    phase = np.angle(found[0, 4:16, 4:14])
    assert np.ptp(phase) > 0.05
    turned = np.angle(found * found[:1].conj())[:, 4:16, 4:14]
    np.testing.assert_allclose(turned, 0, atol=1e-3)
    given = volume((1, 5, 20, 18), complex=True)
    found = images(simulate_from_image(given, None, 1, NOISELESS, 1))[:, 0]
    np.testing.assert_allclose(found, given.image / abs(given.image).max(), atol=1e-5)


def test_coils_and_noise_are_those_of_other_scans():
    given = volume((1, 1, 32, 32))
    scan = simulate_from_image(given, None, (4, 4), 25.0, 3)
    clean = simulate_from_image(given, None, (4, 4), NOISELESS, 3)
    noise = np.asarray(scan.kspace) - np.asarray(clean.kspace)
    brightness = np.linalg.norm(images(clean), axis=1)
    signal = brightness[brightness > 0.1 * brightness.max()].mean()
    assert signal / noise.real.std() == pytest.approx(25, rel=0.05)
    shares = abs(images(clean)[0, :, 0, 8:24, 8:24]) / brightness[0, 0, 8:24, 8:24]
    assert np.ptp(shares, axis=(1, 2)).min() > 0.1  # every coil sees one side more
    other = simulate_from_image(given, None, (4, 4), NOISELESS, 4)
    assert abs(np.asarray(other.kspace) - np.asarray(clean.kspace)).max() > 1e-3


@pytest.mark.parametrize(
    ("grid", "shape"), [((32, 40), (16, 20)), ((33, 40), (17, 31)), ((20, 24, 22), (16, 13, 22))]
)
def test_fewer_voxels_are_larger_and_lie_where_they_did(grid, shape, uniform_coils):
    given = volume((1, 1, *grid), complex=True)
    scan = simulate_from_image(given, shape, 1, NOISELESS, 0)
    assert scan.matrix == shape
    np.testing.assert_allclose(
        np.multiply(scan.voxel[: len(shape)], shape), np.multiply(given.voxel[: len(shape)], grid)
    )
    # the image is smooth: it may be read off between its voxels
    found = images(scan)[0, 0, 0]
    index = tuple(n // 2 + 2 for n in shape)
    world = scan.affine @ [*((*index[::-1], 0)[:3]), 1]
    x, y, z, _ = np.linalg.inv(given.affine) @ world
    place = (z, y, x)[-len(grid) :]
    mesh = [p / n - 0.45 for p, n in zip(place, grid, strict=True)]
    level = np.exp(-sum((k + 2) * 4 * x**2 for k, x in enumerate(mesh)) + 1j * mesh[-1])
    assert abs(found[index] * abs(given.image).max() / 40 - level) < 0.02


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (40, 20)}, r"shape \(40, 20\) does not fit mine, whose size is \(32, 24\)"),
        ({"shape": (16, 16, 16)}, "does not fit mine"),
        ({"shape": (16, 4)}, "too small; use 8"),
        ({"coils": 0}, r"coils \(0, 0\)"),
        ({"snr": float("inf")}, "SNR"),
    ],
)
def test_what_cannot_be_simulated_is_refused(change, message):
    arguments = {"shape": None, "coils": 2, "snr": 20.0, "seed": 0} | change
    with pytest.raises(BadInput, match=message):
        simulate_from_image(volume((1, 1, 32, 24)), **arguments)


def test_empty_image_is_refused():
    given = volume((1, 1, 32, 24))
    with pytest.raises(BadInput, match="mine is zero everywhere"):
        simulate_from_image(replace(given, image=given.image * 0), None, 2, 20.0, 0)


def test_real_brain_becomes_a_volume(shared_data):
    image = read_image(shared_data / "brain_T1_colin27_ch2.nii.gz")
    scan = simulate_from_image(image, (24, 32, 28), 4, 50.0, 0)
    assert scan.kspace.shape == (1, 4, 1, 24, 32, 28)
    assert scan.voxel == pytest.approx((181 / 24, 217 / 32, 181 / 28))
    middle = scan.affine @ [14, 16, 12, 1]
    np.testing.assert_allclose(middle, image.affine @ [90, 108, 90, 1], atol=1e-9)
