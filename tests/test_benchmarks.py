import numpy as np
import pytest
from tiny import centred_fft, prepared, tiny_scan

from benchmarks.bart import undersample
from gleam.physics.fourier import ifft
from gleam.recipe import MaskRecipe


@pytest.mark.parametrize("kind", ["equispaced", "poisson"])
def test_what_rivals_get_is_kspace_times_the_mask(kind: str) -> None:
    """Whichever axes it varies along: preparation decodes the readout, a mask of two axes samples
    it."""
    example = prepared(tiny_scan((48, 40), slices=1, oversampling=1), calibration=12)
    (case,) = undersample([example], MaskRecipe(kind=kind, acceleration=2))
    images = ifft(example[0].kspace, example.header.axes).numpy()
    sampled = case.kspace != 0
    whole = centred_fft(images, (-2, -1))
    assert np.allclose(case.kspace, sampled * whole, atol=1e-5 * abs(whole).max())
    assert 1.7 < 1 / sampled.mean() < 2.3
    assert sampled[..., 18:30, 14:26].all()
