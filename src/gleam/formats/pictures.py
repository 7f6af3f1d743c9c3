"""Images to look at, 8-bit grey magnitude: PNG, and animated WebP; and many tiles in one picture.

Black is 0, white the 99.5th percentile of the whole volume. Tiles have the head up, and left and
right as radiologists see them (see `gleam.formats.upright`); where the place is not known, they are
as stored (y down, x to the right). Pixels are square: where voxels are longer one way, they are
interpolated along it. They stand side by side, row by row, in a near-square montage.

| file | what it shows |
| --- | --- |
| .png | all slices (z in 3D) of the first frame, then of the next |
| .webp | a picture for each frame, of all slices, without end; each stays for the time between \
frames, or 50 ms where that is not known; lossless |

Source of WebP's limit on sides:
https://developers.google.com/speed/webp/docs/riff_container.
"""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gleam.errors import BadInput
from gleam.files import replacing
from gleam.formats.volume import Volume

_LARGEST = 16383  # pixels along a side of a WebP
_SQUARE = 0.02  # of the logarithm of a pixel's sides' ratio; nobody sees it
_STRETCHED = 16  # times as long as wide; beyond, the sizes are none
_USUAL, _LONGEST = 50.0, 2**24 - 1  # ms, of a frame of a WebP


def write_png(volume: Volume, path: Path) -> None:
    """Write all slices of all frames as one montage.

    Raises:
        BadInput: the folder cannot be written to.
    """
    images = slices(volume)
    with replacing(path) as temporary:
        Image.fromarray(tiled(images.reshape(-1, *images.shape[2:]))).save(temporary, "PNG")


def write_webp(volume: Volume, path: Path) -> None:
    """Write the frames as an animation; a single picture where nothing moves.

    Raises:
        BadInput: the slices side by side are too large for a picture, or the folder cannot be
            written to.
    """
    first, *others = (Image.fromarray(tiled(frame)) for frame in slices(volume))
    if max(first.size) > _LARGEST:
        width, height = first.size
        raise BadInput(
            f"{path}: all slices side by side are {width} × {height} pixels, and WebP ends at "
            f"{_LARGEST}; write .png or .nii.gz"
        )
    duration = round(float(volume.contrast.get("frame_time", _USUAL)))
    duration = min(max(1, duration), _LONGEST)
    with replacing(path) as temporary:
        first.save(
            temporary,
            "WEBP",
            save_all=True,
            append_images=others,
            duration=duration,
            loop=0,
            lossless=True,
        )


def slices(volume: Volume) -> NDArray[np.uint8]:
    """(frame, slice, rows, columns): grey levels of every slice, z in 3D, the head up if known."""
    in_plane = volume.voxel[volume.image.ndim - 4 :]  # z is before y and x in 3D
    levels, planes = squared(grey(volume.magnitude), in_plane), volume.upright
    return levels if planes is None else planes[0].shown(levels)


def squared(images: NDArray[np.uint8], voxel: tuple[float, ...]) -> NDArray[np.uint8]:
    """Images (…, rows, columns) whose pixels are square: the longer side is divided.

    Args:
        images: grey levels.
        voxel: sizes along rows and columns, and whatever follows, in any unit.
    """
    rows, columns = images.shape[-2:]
    tall = voxel[0] / voxel[1]
    if abs(math.log(tall)) < _SQUARE or not 1 / _STRETCHED < tall < _STRETCHED:
        return images
    size = (round(columns * max(1, 1 / tall)), round(rows * max(1, tall)))
    larger = [
        np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BILINEAR))
        for one in images.reshape(-1, rows, columns)
    ]
    return np.stack(larger).reshape(*images.shape[:-2], *size[::-1])


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
    """Number of rows that `tiled` makes of so many images, and number of images in a row."""
    across = math.ceil(math.sqrt(count))
    return math.ceil(count / across), across
