"""Images to look at: grey levels, and many tiles in one picture."""

import math

import numpy as np
from numpy.typing import NDArray

from gleam.formats.volume import Volume


def slices(volume: Volume) -> NDArray[np.uint8]:
    """(frame, slice, rows, columns): grey levels of every slice, z in 3D, the head up if known."""
    levels, planes = grey(volume.magnitude), volume.upright
    return levels if planes is None else planes[0].shown(levels)


def grey(magnitude: NDArray[np.float32]) -> NDArray[np.uint8]:
    """8-bit grey of the same shape; black is 0, white the 99.5th percentile of the whole."""
    white = np.percentile(magnitude, 99.5) or 1.0
    levels: NDArray[np.uint8] = np.clip(magnitude / white * 255, 0, 255).round().astype(np.uint8)
    return levels


def tiled(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images (n, y, x) side by side, row by row, in a near-square picture (y, x)."""
    count, height, width = images.shape
    down, across = layout(count)
    grid = np.zeros((down * across, height, width), np.uint8)
    grid[:count] = images
    picture = grid.reshape(down, across, height, width).swapaxes(1, 2)
    return picture.reshape(down * height, across * width)


def layout(count: int) -> tuple[int, int]:
    """How many rows `tiled` makes of so many images, and how many stand in a row."""
    across = math.ceil(math.sqrt(count))
    return math.ceil(count / across), across
