import numpy as np
import pytest

import gleam.simulation.scan as module
from gleam.simulation import simulate_scan
from gleam.simulation.anatomy import draw_anatomy
from gleam.simulation.fractal import _field, draw_fractal


def rng(*seed):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("shape", [(64, 64), (31, 57), (20, 40, 33)])
def test_fractal_textures_fill_the_outline_of_a_body(shape):
    for seed in range(4):
        image = draw_fractal(shape, rng(seed))
        assert image.shape == shape
        assert image.dtype == np.complex64
        assert abs(image).max() == pytest.approx(1, abs=1e-3)
        body = draw_anatomy(shape, rng(seed)) != 0  # outlines are drawn first, so alike
        assert not image[~body].any()
        assert (image[body] != 0).mean() > 0.9


@pytest.mark.parametrize(("shape", "radii"), [((256, 256), (8, 16, 32)), ((64,) * 3, (4, 8, 16))])
def test_every_octave_has_the_same_energy(shape, radii):
    radius = np.sqrt(sum(k**2 for k in np.ix_(*(np.fft.fftfreq(n, 1 / n) for n in shape))))
    energy = np.zeros(len(radii))
    for seed in range(8):
        power = abs(np.fft.fftn(_field(shape, rng(seed)))) ** 2
        energy += [power[(radius >= r) & (radius < 2 * r)].sum() for r in radii]
    assert energy.max() / energy.min() < 1.4


@pytest.mark.parametrize(("share", "lowest", "highest"), [(0.0, 0, 0), (0.5, 8, 32), (1.0, 40, 40)])
def test_a_share_of_slices_is_fractal(monkeypatch, share, lowest, highest):
    drawn = []

    def draw(what):
        return lambda shape, *_: drawn.append(what) or np.ones(shape, np.complex64)

    monkeypatch.setattr(module, "draw_fractal", draw("fractal"))
    monkeypatch.setattr(module, "draw_anatomy", draw("anatomy"))
    simulate_scan((16, 16), 1, 40, 20.0, 0, fractal=share)
    assert len(drawn) == 40
    assert lowest <= drawn.count("fractal") <= highest
