"""`Stack`: a complex image packed for a page, plane by plane, which a browser unpacks when seen.

Real and imaginary part become 16-bit levels, so that windows, errors and phases that the browser
makes of them are honest; nothing is lost after that. Of a row each level but the first is stored as
its difference to the one before it (modulo 2¹⁶), the high bytes of a plane before its low ones:
high bytes pack well, low ones are mostly noise. Each plane is one zlib stream.
"""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Complex
from numpy.typing import NDArray

HIGHEST = 2**15 - 1
_EFFORT = 6  # of zlib: more takes longer and gains 1 %

Planes = Complex[np.ndarray[Any, Any], "z frame set rows columns"]


@dataclass(frozen=True)
class Stack:
    """An image of any dimension; z counts the slices of a 2D scan.

    Attributes:
        size: z, frames, map sets, rows, columns.
        step: what one level is worth.
        planes: the packed planes, the frames of a z one after the other.
    """

    size: tuple[int, int, int, int, int]
    step: float
    planes: tuple[bytes, ...]

    @classmethod
    def of(cls, image: Planes) -> "Stack":
        """Pack an image; what is not finite in it becomes brighter than all else."""
        parts = np.stack([image.real, image.imag], axis=3)  # (z, frame, set, part, row, column)
        finite = np.broadcast_to(np.isfinite(image)[:, :, :, None], parts.shape)
        largest = float(np.abs(parts, where=finite, out=np.zeros_like(parts)).max(initial=0))
        step = largest / HIGHEST or 1.0
        levels = np.where(finite, parts / np.float32(step), HIGHEST).round()
        levels = levels.clip(-HIGHEST, HIGHEST).astype(np.int16)
        z, frames, sets, rows, columns = image.shape
        planes = levels.reshape(z * frames, sets * 2, rows, columns)
        return cls((z, frames, sets, rows, columns), step, tuple(map(_packed, planes)))

    @property
    def nbytes(self) -> int:
        """Packed."""
        return sum(map(len, self.planes))

    def image(self) -> Planes:
        """The image, as good as its levels."""
        z, frames, sets, rows, columns = self.size
        shape = (sets, 2, rows, columns)
        levels = np.stack([_unpacked(plane, shape) for plane in self.planes]) * self.step
        parts = levels.astype(np.float32).reshape(z, frames, *shape)
        complex_: Planes = (parts[:, :, :, 0] + 1j * parts[:, :, :, 1]).astype(np.complex64)
        return complex_


def _packed(levels: NDArray[np.int16]) -> bytes:
    """The packed image of a plane, (set × part, row, column)."""
    steps = levels.view(np.uint16).copy()
    steps[..., 1:] -= levels.view(np.uint16)[..., :-1]
    high, low = (steps >> 8).astype(np.uint8), steps.astype(np.uint8)
    return zlib.compress(high.tobytes() + low.tobytes(), _EFFORT)


def _unpacked(plane: bytes, shape: tuple[int, ...]) -> NDArray[np.int16]:
    size = int(np.prod(shape))
    data = zlib.decompressobj().decompress(plane, 2 * size)
    both = np.frombuffer(data, np.uint8).astype(np.uint16)
    steps = (both[:size] << 8 | both[size:]).reshape(shape)
    levels: NDArray[np.int16] = steps.cumsum(axis=-1, dtype=np.uint16).view(np.int16)
    return levels
