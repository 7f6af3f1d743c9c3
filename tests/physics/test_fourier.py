import numpy as np
import pytest
import torch
from adjointness import assert_adjoint
from toys import noise

from gleam.physics.fourier import centred, fft, ifft, shift_free

SPACES = [(8, 9), (7, 12), (1, 5), (4, 5, 6)]
EACH = pytest.mark.parametrize(
    ("space", "axes"),
    [(space, axes) for space in SPACES for axes in [(-1,), (-2,), (-2, -1), (-len(space), -1)]],
)


def close(a, b):
    return torch.allclose(a, b, rtol=0, atol=1e-5)


@EACH
def test_the_two_conventions_invert_each_other(space, axes):
    kspace = noise(2, 3, 1, *space)
    assert close(centred(shift_free(kspace, axes), axes), kspace)
    assert close(shift_free(centred(kspace, axes), axes), kspace)


@EACH
def test_shift_free_data_need_no_shift(space, axes):
    kspace = noise(2, 3, 1, *space)
    shifted = torch.fft.ifftn(torch.fft.ifftshift(kspace, axes), dim=axes, norm="ortho")
    image = torch.fft.fftshift(shifted, axes)
    assert close(ifft(shift_free(kspace, axes), axes), image)
    assert close(centred(fft(image, axes), axes), kspace)


@EACH
def test_all_are_unitary(space, axes):
    x, y = noise(2, 3, 1, *space, seed=1), noise(2, 3, 1, *space, seed=2)
    for one, other in [(fft, ifft), (shift_free, centred)]:
        assert_adjoint(lambda x, f=one: f(x, axes), lambda y, f=other: f(y, axes), x, y)
        assert_adjoint(lambda x, f=other: f(x, axes), lambda y, f=one: f(y, axes), x, y)
        assert close(other(one(x, axes), axes), x)


def test_long_axes_are_as_exact_as_short_ones():
    size = 100_003
    kspace = noise(1, size)
    k = np.arange(size, dtype=object)  # integers of any length
    turns = np.array(k * (size // 2) % size, dtype=np.float64) / size
    expected = np.exp(-2j * np.pi * turns) * np.fft.ifftshift(kspace.numpy())
    assert np.abs(shift_free(kspace, (-1,)).numpy() - expected).max() < 1e-6


def test_double_precision_stays():
    kspace = noise(1, 9, dtype=torch.complex128)
    assert (centred(shift_free(kspace, (-1,)), (-1,)) - kspace).abs().max() < 1e-14
