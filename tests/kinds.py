"""A tiny example of every kind, and a way to undersample it."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from tiny import prepared, tiny_scan

from gleam.formats import Scan


def series(scan: Scan, frames: int = 4) -> Scan:
    """Every slice, so many times."""
    kspace = np.stack([scan.kspace[i] for i in range(scan.kspace.shape[0])])
    return replace(scan, kspace=kspace.repeat(frames, axis=2))


SLICES = tiny_scan(slices=1, oversampling=1)
VOLUME = tiny_scan((16, 16, 18), slices=1, oversampling=1)
KINDS = {
    "2D slices": prepared(SLICES),
    "2D series": prepared(series(SLICES)),
    "volumes": prepared(VOLUME),
    "series of volumes": prepared(series(VOLUME)),
}


def lines(frames: int = 1) -> NDArray[np.bool_]:
    """Every third line of the last axis and its centre; other ones in every frame."""
    kept = (np.arange(20) - np.arange(frames)[:, None]) % 3 == 0
    kept[:, 6:14] = True
    return kept[:, None]


def ellipse(scan: Scan) -> NDArray[np.bool_]:
    """What a scanner acquires that leaves out the corners of the last two axes."""
    y, x = ((np.arange(n) - n // 2) * 2 / n for n in scan.space[-2:])
    inside: NDArray[np.bool_] = y[:, None] ** 2 + x**2 <= 1
    return inside[None, None]
