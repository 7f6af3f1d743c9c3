"""Grey pictures side by side: in a .png file, or in the terminal, two pixels to a character."""

import io
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from gleam.files import replacing

Grey = NDArray[np.uint8]

_GAP = 4  # pixels between two pictures of a file
_LEAST = 256  # height of a file


def save(pictures: Sequence[Grey], path: Path) -> None:
    """Write them beside each other, pixel for pixel; small ones enlarged by a whole number.

    Raises:
        BadInput: the folder cannot be written to.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(png(pictures))


def png(pictures: Sequence[Grey]) -> bytes:
    """The same as the content of a .png file."""
    picture, file = _beside(pictures, _GAP), io.BytesIO()
    times = -(-_LEAST // len(picture))
    Image.fromarray(picture.repeat(times, 0).repeat(times, 1)).save(file, "PNG")
    return file.getvalue()


def show(pictures: Sequence[Grey], console: Console) -> None:
    """Draw them beside each other; nothing where there are no colours."""
    if console.color_system is None or console.no_color:
        return
    width = max(1, min(40, console.width // len(pictures) - 1))
    small = []
    for picture in pictures:
        height = max(1, round(width * picture.shape[0] / picture.shape[1]))
        resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BOX)
        small.append(np.asarray(resized))
    rows = _beside(small, gap=1)
    if len(rows) % 2:
        rows = np.pad(rows, ((0, 1), (0, 0)))
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        line = Text(no_wrap=True)
        for above, below in zip(upper.tolist(), lower.tolist(), strict=True):
            colours = Color.from_rgb(above, above, above), Color.from_rgb(below, below, below)
            line.append("▀", Style(color=colours[0], bgcolor=colours[1]))
        console.print(line)


class Drawn:
    """An object that a notebook draws, and `show` in a terminal."""

    @abstractmethod
    def pictures(self) -> Sequence[Grey]:
        """Pictures of what it holds."""

    def show(self) -> None:
        """Draw it in the terminal, where that has colours; a notebook draws it by itself."""
        show(self.pictures(), Console())

    def _repr_png_(self) -> bytes:
        return png(self.pictures())


def _beside(pictures: Sequence[Grey], gap: int) -> Grey:
    """One picture of them all, centred vertically on black."""
    height = max(len(picture) for picture in pictures)
    padded = []
    for picture in pictures:
        missing = height - len(picture)
        below = missing // 2, missing - missing // 2
        padded.append(np.pad(picture, (below, (0, gap))))
    return np.concatenate(padded, axis=1)[:, :-gap]
