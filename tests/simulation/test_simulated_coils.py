import numpy as np
import pytest

from gleam.simulation.coils import SimulatedCoils


def rng(*seed):
    return np.random.default_rng(seed)


def draw_coils(shape, coils, rng):
    return np.stack([*SimulatedCoils(shape, coils, rng)])


def inside(shape):
    mesh = np.ix_(*((np.arange(n) - n // 2) / (n / 2) for n in shape))
    return sum(x**2 for x in mesh) <= 1


@pytest.mark.parametrize("shape", [(48, 64), (41, 33), (12, 32, 24)])
@pytest.mark.parametrize("coils", [1, 2, 8, 32])
def test_maps_have_unit_root_sum_of_squares_on_average(shape, coils):
    maps = draw_coils(shape, coils, rng(coils))
    assert maps.shape == (coils, *shape)
    assert maps.dtype == np.complex64
    brightness = np.linalg.norm(maps, axis=0)
    assert brightness[inside(shape)].mean() == pytest.approx(1, abs=0.02)
    assert brightness.min() > 0.3
    assert brightness.max() < 12  # next to a coil, where nothing is evened out


@pytest.mark.parametrize("coils", [1, 8, 32])
def test_maps_are_smooth(coils):
    """Nearly all energy of a windowed map lies in a calibration region of 24 × 24."""
    window = np.outer(np.hanning(96), np.hanning(96))
    for seed in range(5):
        maps = draw_coils((96, 96), coils, rng(seed)) * window
        spectrum = abs(np.fft.fftshift(np.fft.fft2(maps), axes=(1, 2))) ** 2
        assert spectrum[:, 36:60, 36:60].sum() > 0.9999 * spectrum.sum()


def test_coils_see_different_sides():
    maps = abs(draw_coils((64, 64), 8, rng(0)))
    peaks = np.array([np.unravel_index(m.argmax(), m.shape) for m in maps]) - 32
    angles = np.sort(np.arctan2(*peaks.T))
    assert np.all(np.diff(angles, append=angles[0] + 2 * np.pi) < 2)
    assert all(np.hypot(*p) > 24 for p in peaks)


def test_coils_unfold_as_well_as_real_ones():
    """The g-factor at twofold undersampling: real head arrays of 8 channels have 1.05 to 1.2."""
    for seed in range(5):
        maps = draw_coils((64, 64), 8, rng(seed)) * inside((64, 64))
        aliased = np.stack([maps[:, :32], maps[:, 32:]], axis=1)[:, :, 4:, 8:56]
        gram = np.einsum("caxy,cbxy->xyab", aliased.conj(), aliased)
        gram = gram[(abs(np.einsum("xyaa->xya", gram)) > 0).all(-1)]
        g = np.sqrt(abs(np.einsum("xaa,xaa->xa", np.linalg.inv(gram), gram)))
        assert 1.02 < np.median(g) < 1.3


def test_maps_are_drawn_anew_and_repeat_with_the_seed():
    first = draw_coils((32, 32), 4, rng(1))
    np.testing.assert_array_equal(first, draw_coils((32, 32), 4, rng(1)))
    assert np.abs(first - draw_coils((32, 32), 4, rng(2))).max() > 0.1


def test_maps_do_not_depend_on_the_grid():
    """Two grids over one field of view: every other point of the finer is a point of the other."""
    coarse = draw_coils((32, 24), 4, rng(5))
    fine = draw_coils((64, 48), 4, rng(5))[:, ::2, ::2]
    np.testing.assert_allclose(fine / np.mean(abs(fine)), coarse / np.mean(abs(coarse)), atol=1e-5)
