"""Samples of noise: how many tell the covariance of coils, and such as stand for a known one.

The covariance of n samples of p coils is off by √(p/n) at most, as a share of its norm (root mean
square; Goodman, Ann. Math. Stat. 34, 1963), and what it whitens has lost p/n of its signal-to-noise
power (Reed, Mallett and Brennan, IEEE Trans. AES 10, 1974). 25 samples for each coil keep the first
below 20 %, the second below 4 %.
"""

import numpy as np
from numpy.typing import NDArray

from gleam.formats.scan import Array

PER_COIL = 25  # samples


def of_levels(deviations: NDArray[np.floating]) -> Array:
    """(coil, samples): enough of them, whose covariance is that of independent coils.

    Args:
        deviations: (coil,), the standard deviation of each coil's complex noise.
    """
    coils = len(deviations)
    alone = np.diag(deviations * coils**0.5).astype(np.complex64)
    return np.tile(alone, PER_COIL)
