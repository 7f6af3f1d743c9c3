"""Fractal textures in the outline of a body: structure at every scale, and no anatomy.

A network that has seen one family of images alone learns, too, what that family lacks. The spectrum
of natural images falls by about 1 / |k|, so that every octave holds the same energy (Field, J. Opt.
Soc. Am. A 4, 1987). A texture is the magnitude of complex noise with that spectrum.
"""

import numpy as np
import scipy
from numpy.typing import NDArray

from gleam.simulation.anatomy import OVERSIZED, draw_outline, draw_phase


def draw_fractal(
    shape: tuple[int, ...], rng: np.random.Generator, oversized: float = OVERSIZED
) -> NDArray[np.complex64]:
    """A complex image of `shape` (`y x` or `z y x`), zero outside the body, magnitude up to 1.

    Outline and phase are drawn as those of `draw_anatomy`.
    """
    depth = draw_outline(shape, rng, oversized)
    image = abs(_field(shape, rng)) * (depth > 0)
    image /= np.quantile(image[depth > 0], 0.999)
    phasor: NDArray[np.complex64] = np.exp(1j * draw_phase(shape, rng))
    return np.minimum(image, 1) * phasor


def _field(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.complex64]:
    """Complex noise whose spectrum falls by 1 / |k|^(axes / 2)."""
    squared = sum(k**2 for k in np.ix_(*(np.fft.fftfreq(n) for n in shape)))
    falling = (np.sqrt(squared) + 1 / max(shape)) ** (-len(shape) / 2)
    white = rng.standard_normal((2, *shape), dtype=np.float32)
    spectrum = (white[0] + 1j * white[1]) * falling.astype(np.float32)
    field: NDArray[np.complex64] = scipy.fft.ifftn(spectrum, norm="forward")
    return field
