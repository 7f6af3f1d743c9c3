"""Axes of a scan that stay in k-space, and the one that is transformed once and for all."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Complex
from torch import Tensor

from gleam.arrays import centre
from gleam.formats.scan import Scan
from gleam.physics.fourier import Axes, centred, fft, ifft, shift_free


@dataclass(frozen=True)
class Grid:
    """The grid of prepared k-space. Axes are negative: x = −1, y = −2, z = −3.

    Attributes:
        decoded: the axis that is transformed and cropped, a readout sampled in full; None when
            there is none, as with an asymmetric echo.
        space: size along each axis; along `decoded`, of the image.
    """

    decoded: int | None
    space: tuple[int, ...]

    @classmethod
    def of(cls, scan: Scan) -> "Grid":
        """The grid that a scan is prepared on."""
        if scan.readout is None:
            return cls(None, scan.space)
        readout = scan.readout - len(scan.space)
        if not whole_along(scan, readout):
            return cls(None, scan.space)
        return cls.decoding(scan, readout, scan.matrix[readout])

    @classmethod
    def decoding(cls, scan: Scan, axis: int, size: int) -> "Grid":
        """The grid of a scan transformed along `axis` and cropped to `size`."""
        space = list(scan.space)
        space[axis] = size
        return cls(axis, tuple(space))

    @property
    def axes(self) -> Axes:
        """The axes still in k-space."""
        return tuple(a for a in range(-len(self.space), 0) if a != self.decoded)

    def pattern(self, scan: Scan) -> Bool[Tensor, "frame *space"]:
        """The pattern that was acquired, centred; one position along `decoded` stands for all."""
        sampled = torch.from_numpy(np.array(scan.sampled))
        return sampled if self.decoded is None else sampled.narrow(self.decoded, 0, 1)

    def decode(self, kspace: Complex[Tensor, "*scanned"]) -> Complex[Tensor, "*cropped"]:
        """Centred k-space as scanned, brought to this grid."""
        if self.decoded is None:
            return kspace
        image = ifft(shift_free(kspace, (self.decoded,)), (self.decoded,))
        return centre(image, self.decoded, self.space[self.decoded])

    def encode(self, decoded: Complex[Tensor, "*any"]) -> Complex[Tensor, "*any"]:
        """Back to centred k-space along every axis, of the cropped image."""
        if self.decoded is None:
            return decoded
        return centred(fft(decoded, (self.decoded,)), (self.decoded,))


def whole_along(scan: Scan, axis: int) -> bool:
    """Whether every line along an axis was sampled in full or not at all."""
    first = scan.sampled.take([0], axis)
    return bool((scan.sampled == first).all())
