"""Animated WebP out: 8-bit grey magnitude to look at, a picture for each frame, without end.

A picture shows all slices (z in 3D) side by side, as in PNG's tiles. It stays for the time
between frames, or 50 ms where that is not known. Lossless.

Source: https://developers.google.com/speed/webp/docs/riff_container; sides end at 16383.
"""

from pathlib import Path

from PIL import Image

from gleam.errors import BadInput
from gleam.files import replacing
from gleam.formats.montage import slices, tiled
from gleam.formats.volume import Volume

_LARGEST = 16383  # pixels along a side
_USUAL, _LONGEST = 50.0, 2**24 - 1  # ms


def write_image(volume: Volume, path: Path) -> None:
    """Write the animation; a single picture where nothing moves.

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
            save_all=True,
            append_images=others,
            duration=duration,
            loop=0,
            lossless=True,
        )
