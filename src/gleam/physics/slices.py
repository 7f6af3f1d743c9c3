"""`AsSlices`: a volume's measurement as a batch of slices across its readout.

Where an axis was sampled in full and transformed, A couples none of its positions: the volume is a
stack of independent slices, of the other two axes. A network of slices reconstructs them all, and
has no more of them in memory at a time than the slabs they are read in.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from gleam.arrays import AnyTensor, Image, KSpace, Maps, Mask, mapped, narrow, slabs, tensors
from gleam.errors import BadInput
from gleam.physics.fourier import Axes
from gleam.physics.measurement import AlongAxis, Measured, Measurement, S
from gleam.physics.slabs import Slabbed


@dataclass(frozen=True)
class AsSlices:
    """A `Measured` of slices; the first position of every volume of the batch, then the second …

    Attributes:
        volume: the same as volumes, cut along the readout.
    """

    volume: Slabbed

    @classmethod
    def of(cls, volume: Measured) -> "AsSlices":
        """The slices of volumes, (batch, set, frame, z, y, x).

        Raises:
            BadInput: F runs along all axes of space, so nothing comes apart.
        """
        return cls(volume if isinstance(volume, Slabbed) else _in_one_slab(volume.whole()))

    @cached_property
    def adjoint(self) -> Image:
        """Aᴴy."""
        return self._apart(self.volume.adjoint)

    @property
    def noise(self) -> Float[Tensor, "batch"] | None:
        """See `Measurement`."""
        return self._repeated(range(self._length))

    @property
    def mask(self) -> Mask:
        """M; of length 1 where all slices have the same."""
        return self._mask(self.volume.mask, self._length)

    @property
    def axes(self) -> Axes:
        """The axes that F runs along, of those of a slice."""
        return tuple(a if a > self.volume.axis else a + 1 for a in self.volume.axes)

    def part(self, positions: range) -> Measurement:
        """The measurement of the slices at some positions along the readout."""
        part = self.volume.part(positions)
        mask = self._mask(part.mask, len(positions))
        sense = replace(part.sense, maps=self._apart(part.sense.maps), mask=mask, axes=self.axes)

        def read() -> KSpace:
            return self._apart(part.kspace())

        adjoint, noise = self._apart(part.adjoint), self._repeated(positions)
        return Measurement(sense, adjoint, noise, None if part.read is None else read)

    def whole(self) -> Measurement:
        """The measurement of all slices, in memory."""
        return self.part(range(self._length))

    def advance(
        self,
        step: Callable[[S, Measurement], S],
        state: S,
        reach: AlongAxis = lambda axis: 0,
        alignment: AlongAxis = lambda axis: 1,
    ) -> S:
        """`step` of all slices, those of a slab together; see `Measured`."""
        result: S = mapped(torch.empty_like, state)
        batch = len(self.volume.adjoint)
        for positions in slabs(self._length, self.volume.size):
            rows = range(positions.start * batch, positions.stop * batch)
            here = partial(narrow, axis=0, positions=rows)
            after = step(mapped(here, state), self.part(positions))
            for to, new in zip(tensors(result), tensors(after), strict=True):
                here(to).copy_(new)
        return result

    def to(self, device: torch.device | str) -> "AsSlices":
        """The same measurement on another device."""
        return AsSlices(self.volume.to(device))

    def together(self, slices: Complex[Tensor, "slice set frame *plane"]) -> Image:
        """The volumes that slices are of."""
        volumes = slices.reshape(self._length, len(self.volume.adjoint), *slices.shape[1:])
        return volumes.movedim(0, self.volume.axis)

    @property
    def _length(self) -> int:
        return self.volume.adjoint.shape[self.volume.axis]

    def _apart(self, array: AnyTensor) -> AnyTensor:
        return array.movedim(self.volume.axis, 0).flatten(0, 1).contiguous()

    def _mask(self, mask: AnyTensor, length: int) -> AnyTensor:
        """One for all, or one for each of so many slices of every volume."""
        axis = self.volume.axis
        if len(mask) > 1 or mask.shape[axis] > 1:
            sizes = [len(self.volume.adjoint), *mask.shape[1:]]
            sizes[axis] = length
            mask = mask.expand(sizes)
        return self._apart(mask)

    def _repeated(self, positions: range) -> Float[Tensor, "batch"] | None:
        noise = self.volume.noise
        return None if noise is None else noise.repeat(len(positions))


def comes_apart(volume: Measured) -> bool:
    """Whether F leaves out an axis of space, across which a volume is a stack of slices."""
    return len(volume.axes) < volume.adjoint.ndim - 3


def _in_one_slab(volume: Measurement) -> Slabbed:
    """A volume that is in memory."""
    space = volume.adjoint.ndim - 3
    left = [axis for axis in range(-space, 0) if axis not in volume.axes]
    if not left:
        raise BadInput(
            "the volume was not sampled in full along any axis, so it is no stack of slices"
        )
    axis = left[0]

    def maps(positions: range) -> Maps:
        return narrow(volume.sense.maps, axis, positions)

    def kspace(positions: range) -> KSpace:
        return narrow(volume.kspace(), axis, positions)

    return Slabbed(
        maps,
        volume.mask,
        volume.axes,
        axis,
        volume.adjoint.shape[axis],
        volume.adjoint,
        volume.noise,
        None if volume.read is None else kspace,
    )
