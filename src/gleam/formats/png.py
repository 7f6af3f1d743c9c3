"""PNG images out: 8-bit grey magnitude to look at, all slices side by side.

Tiles have the head up, and left and right as radiologists see them (see `gleam.formats.upright`);
where the place is not known, they are as stored (y down, x to the right). They stand in a
near-square montage that runs row by row over the slices (z in 3D) of the first frame, then of the
next. Black is 0, white the 99.5th percentile of the whole volume.
"""

from pathlib import Path

from PIL import Image

from gleam.files import replacing
from gleam.formats.montage import slices, tiled
from gleam.formats.volume import Volume


def write_image(volume: Volume, path: Path) -> None:
    """Write the montage.

    Raises:
        BadInput: the folder cannot be written to.
    """
    images = slices(volume)
    with replacing(path) as temporary:
        Image.fromarray(tiled(images.reshape(-1, *images.shape[2:]))).save(temporary)
