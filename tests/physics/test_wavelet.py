import numpy as np
import pytest
import pywt
import torch
from toys import noise

from gleam.physics import wavelet

SIZES = [((64,), (-1,)), ((32, 48), (-2, -1)), ((24, 32), (-1,)), ((16, 8, 32), (-3, -2, -1))]


@pytest.mark.parametrize(("size", "axes"), SIZES)
def test_transform_is_orthonormal_and_inverted(size, axes):
    x, y = (noise(2, *size, seed=seed, dtype=torch.complex128) for seed in (0, 1))
    there = wavelet.transform(x, axes)
    assert torch.allclose(wavelet.inverse(there, axes), x)
    assert torch.allclose(
        torch.vdot(there.flatten(), y.flatten()),
        torch.vdot(x.flatten(), wavelet.inverse(y, axes).flatten()),
    )


def test_is_the_wavelet_of_pywavelets():
    x = noise(16, dtype=torch.complex128)
    assert wavelet.levels(16) == 1
    low, high = pywt.dwt(x.roll(-1).numpy(), "db2", "periodization")  # which starts earlier
    ours = wavelet.transform(x, (-1,)).numpy()
    assert np.allclose(ours[:8], low)
    assert np.allclose(ours[8:], high)


def test_polynomials_of_its_vanishing_moments_have_no_details():
    line = torch.arange(64, dtype=torch.float64).to(torch.complex128)
    details = wavelet.transform(line, (-1,))[32:]
    assert details[:-1].abs().max() < 1e-9 < details[-1].abs()  # the period's end is an edge


@pytest.mark.parametrize("size", [(32, 48), (37, 30), (9, 90), (5, 6)])
def test_nothing_to_shrink_is_no_change(size):
    x = noise(1, 1, 2, *size)
    assert torch.allclose(wavelet.shrink(x, 0.0, (-2, -1), (5, 3)), x, atol=1e-5)


def test_shrinking_is_the_proximal_map():
    """x is the minimum: (z − x) / threshold is a subgradient of ‖W x‖₁."""
    z, threshold = noise(1, 1, 1, 32, 32, dtype=torch.complex128), 0.7
    x = wavelet.shrink(z, threshold, (-2, -1), (0, 0))
    found, slope = (wavelet.transform(a, (-2, -1)) for a in (x, (z - x) / threshold))
    zero = found.abs() < 1e-9
    assert 0.1 < zero.double().mean() < 0.9
    assert slope[zero].abs().max() <= 1 + 1e-9
    assert torch.allclose(slope[~zero], found[~zero] / found[~zero].abs())


def test_shifts_move_the_grid_and_not_the_image():
    z = torch.zeros(1, 1, 1, 32, 32, dtype=torch.complex64)
    z[..., 8:24, 8:24] = 1
    there, moved = (wavelet.shrink(z, 0.2, (-2, -1), s) for s in ((0, 0), (3, 5)))
    assert 0 < (there - moved).norm() < 0.2 * z.norm()
    assert (moved - z).norm() < 0.2 * z.norm()
