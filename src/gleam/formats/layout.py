"""Meaning of the axes of a bare array, as the user says it: `coil y x`, `x y z:readout frame`.

Files of plain numbers do not say it themselves. The words stand in the order of the array's axes,
as the program that wrote it shows them:

    y x      rows and columns of a slice          z        the third axis of a 3D acquisition
    coil     receive channels                     slice    slices of a 2D acquisition
    frame    time, cardiac phase or weighting

- `y` and `x` are always there. `:readout` marks the frequency-encoding axis, if it is known.
- Where its field of view is wider than the image's, that is said beside the words: `y` for twice as
  wide, as scanners have it, `y:1.5` for another factor.
- Axes of length 1 need no word: those after the last word, or all of them.
"""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.words import nearest

_WORDS = ("slice", "coil", "frame", "z", "y", "x")


@dataclass(frozen=True)
class Layout:
    """A user's description of a file of plain numbers.

    Attributes:
        axes: a word for each axis; None where the format's own meaning holds.
        readout: the word of the frequency-encoding axis; None when unknown.
        variable: which array of the file; None for the only one that can be k-space.
        oversampling: field of view along the readout over that of the image.
    """

    axes: tuple[str, ...] | None = None
    readout: str | None = None
    variable: str | None = None
    oversampling: float = 1.0

    @classmethod
    def parse(
        cls, axes: str | None, variable: str | None = None, oversampled: str | None = None
    ) -> "Layout":
        """Read a layout from words with spaces or commas between them.

        Args:
            axes: a word for each axis.
            variable: see `Layout`.
            oversampled: the word of the readout and by how much it is oversampled, `y` or `y:1.5`.

        Raises:
            BadInput: an unknown word, one said twice, `y` or `x` missing, a mark elsewhere than
                on one of `z y x`, a second readout, or an oversampling that is none.
        """
        readout, factor = (None, 1.0) if oversampled is None else _oversampled(oversampled)
        if axes is None:
            return cls(None, readout, variable, factor)
        words: list[str] = []
        marked: list[str] = []
        for part in re.split(r"[\s,]+", axes.strip(" ,")):
            word, colon, mark = part.partition(":")
            if word not in _WORDS:
                raise BadInput(f"--axes: {word!r} is no axis; {nearest(word, _WORDS)}")
            if word in words:
                raise BadInput(f"--axes: {word!r} is there twice; each axis has a word of its own")
            if colon and (mark != "readout" or marked or word not in ("z", "y", "x")):
                raise BadInput(f"--axes: {part!r} is no axis; ':readout' marks one of z, y and x")
            words.append(word)
            marked += [word] if colon else []
        if not {"y", "x"} <= set(words):
            raise BadInput(f"--axes: {axes!r} lacks y or x, the rows and columns of the image")
        if readout is not None and marked not in ([], [readout]):
            raise BadInput(
                f"--oversampled: {readout} is not the readout; --axes says that {marked[0]} is"
            )
        marked += [] if readout is None else [readout]
        return cls(tuple(words), marked[0] if marked else None, variable, factor)

    def or_else(self, usual: "Layout") -> "Layout":
        """The same, with the axes of `usual` where none were said."""
        if self.axes is not None:
            return self
        return replace(self, axes=usual.axes, readout=self.readout or usual.readout)

    def arrange(self, path: Path, shape: tuple[int, ...]) -> "Arrangement":
        """Give the words to the axes of an array of `shape`.

        Raises:
            BadInput: the words do not fit the array; says `path`.
        """
        words = self.axes or ()
        longer = [axis for axis, size in enumerate(shape) if size > 1]
        if all(size == 1 for size in shape[len(words) :]):
            axes = list(range(len(words)))
        elif len(longer) == len(words):
            axes = longer
        else:
            raise BadInput(
                f"{path}: the array is {_sizes(shape)}, but --axes {' '.join(words)!r} has "
                f"{len(words)} words; give each axis longer than 1 its word"
            )
        at = dict(zip(axes, words, strict=True))
        words_of_all = tuple(at.get(axis) for axis in range(len(shape)))
        arrangement = self.marked(path, Arrangement(words_of_all, shape))
        if min(arrangement.shape[-2:]) == 1:
            raise BadInput(
                f"{path}: the array is {_sizes(shape)}, of which --axes {' '.join(words)!r} makes "
                f"an image of {_sizes(arrangement.shape[-2:])}; give every axis its word"
            )
        return arrangement

    def marked(self, path: Path, arrangement: "Arrangement") -> "Arrangement":
        """An arrangement with the readout that was said, if one was.

        Raises:
            BadInput: the axis that is oversampled is not there; says `path`.
        """
        if self.readout is None:
            return arrangement
        if self.oversampling != 1 and self.readout not in arrangement.words:
            raise BadInput(
                f"{path}: the array is {_sizes(arrangement.sizes)} and has no axis "
                f"{self.readout!r}, which --oversampled names"
            )
        return replace(arrangement, marked=self.readout, oversampling=self.oversampling)


def _oversampled(part: str) -> tuple[str, float]:
    """The readout's word, and the factor."""
    word, colon, number = part.strip().partition(":")
    try:
        factor = float(number) if colon else 2.0
    except ValueError:
        factor = 0.0
    if word not in ("z", "y", "x") or not 1 < factor < math.inf:
        raise BadInput(
            f"--oversampled: {part!r} is no oversampled axis; say y, or y:1.5 if it is not twice"
        )
    return word, factor


@dataclass(frozen=True)
class Arrangement:
    """The arrangement by which an array in a file becomes k-space (slice, coil, frame, *space).

    Attributes:
        words: of each axis; None for one of length 1 that means nothing.
        sizes: of each axis.
        marked: the word of the readout, if known.
        oversampling: field of view along the readout over that of the image.
    """

    words: tuple[str | None, ...]
    sizes: tuple[int, ...]
    marked: str | None = None
    oversampling: float = 1.0

    @property
    def _order(self) -> tuple[str, ...]:
        three_d = "z" in self.words
        return ("slice", "coil", "frame", *(("z", "y", "x") if three_d else ("y", "x")))

    @property
    def shape(self) -> tuple[int, ...]:
        """(slice, coil, frame, *space)."""
        size = dict(zip(self.words, self.sizes, strict=True))
        return tuple(size.get(word, 1) for word in self._order)

    @property
    def readout(self) -> int | None:
        """Index into `space`, as a `Scan` has it."""
        return self._order.index(self.marked) - 3 if self.marked in self._order else None

    @property
    def matrix(self) -> tuple[int, ...]:
        """Size of the image along each space axis, oversampling left out."""
        return tuple(
            max(1, round(n / self.oversampling)) if axis == self.readout else n
            for axis, n in enumerate(self.shape[3:])
        )

    @property
    def reversed(self) -> "Arrangement":
        """The arrangement of the same array with its axes in the opposite order."""
        return replace(self, words=self.words[::-1], sizes=self.sizes[::-1])

    def pick(self, stored: Any, index: int, coils: slice = slice(None)) -> NDArray[Any]:
        """One slice (coil, frame, *space) of an array, or of an HDF5 dataset, of these sizes."""
        chosen = {"slice": index, "coil": coils, None: 0}
        picked = stored[tuple(chosen.get(word, slice(None)) for word in self.words)]
        left = [word for word in self.words if word not in (None, "slice")]
        order = [left.index(word) for word in self._order if word in left]
        arranged: NDArray[Any] = np.transpose(picked, order).reshape(-1, *self.shape[2:])
        return arranged


def _sizes(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
