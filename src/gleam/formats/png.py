"""PNG images out: 8-bit grey magnitude to look at, all slices side by side.

Tiles are as stored (y down, x to the right), in a near-square montage that runs row by row over
the slices (z in 3D) of the first frame, then of the next. Black is 0, white the 99.5th percentile
of the whole volume.
"""

import math
from pathlib import Path

import numpy as np
from PIL import Image

from gleam.files import replacing
from gleam.formats.volume import Volume


def write_image(volume: Volume, path: Path) -> None:
    """Write the montage.

    Raises:
        BadInput: the folder cannot be written to.
    """
    magnitude = volume.magnitude
    *_, height, width = magnitude.shape
    tiles = magnitude.reshape(-1, height, width)
    white = np.percentile(tiles, 99.5) or 1.0
    across = math.ceil(math.sqrt(len(tiles)))
    down = math.ceil(len(tiles) / across)
    grid = np.zeros((down * across, height, width), np.uint8)
    grid[: len(tiles)] = np.clip(tiles / white * 255, 0, 255).round()
    montage = grid.reshape(down, across, height, width).swapaxes(1, 2)
    with replacing(path) as temporary:
        Image.fromarray(montage.reshape(down * height, across * width)).save(temporary)
