"""`Slabbed`: a volume's measurement, of which one slab along the readout is in memory at a time.

Where an axis was sampled in full and transformed, A couples none of its positions, so all that
ties them together is a network's convolutions. An iteration of a slab that is longer by their
reach is therefore exact in its middle; and if all slabs advance one iteration before any advances
the next, slab by slab is the whole volume.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from gleam.arrays import Image, KSpace, Maps, Mask, mapped, narrow, slabs, tensors
from gleam.physics.fourier import Axes
from gleam.physics.measurement import AlongAxis, Measurement, S
from gleam.physics.sense import Sense


@dataclass(frozen=True)
class Slabbed:
    """A `Measured` whose maps are read when they are needed.

    Attributes:
        maps: some positions along `axis` → S there, on any device.
        mask: M; of length 1 along `axis`, unless some of its samples are held out.
        axes: those that F runs along.
        axis: along which slabs are cut; not one of `axes`.
        size: positions of a slab.
        adjoint: Aᴴy of the whole volume.
        noise: see `Measurement`.
        read: some positions along `axis` → y there; see `Measurement`.
        coils_at_once: see `Sense`.
    """

    maps: Callable[[range], Maps]
    mask: Mask
    axes: Axes
    axis: int
    size: int
    adjoint: Image
    noise: Float[Tensor, "batch"] | None = None
    read: Callable[[range], KSpace] | None = None
    coils_at_once: int = 0

    def part(self, positions: range) -> Measurement:
        """The measurement of a slab."""
        maps, mask = self.maps(positions).to(self.adjoint.device), self.mask
        if mask.shape[self.axis] > 1:  # samples along the readout are held out
            mask = narrow(mask, self.axis, positions)
        sense = Sense(maps, mask, self.axes, self.coils_at_once)
        read = None if self.read is None else partial(self.read, positions)
        return Measurement(sense, narrow(self.adjoint, self.axis, positions), self.noise, read)

    def whole(self) -> Measurement:
        """The measurement of the whole volume, in memory."""
        return self.part(range(self.adjoint.shape[self.axis]))

    def advance(
        self,
        step: Callable[[S, Measurement], S],
        state: S,
        reach: AlongAxis = lambda axis: 0,
        alignment: AlongAxis = lambda axis: 1,
    ) -> S:
        """`step` of the whole volume, taken slab by slab; see `Measured`."""
        result: S = mapped(torch.empty_like, state)
        length = self.adjoint.shape[self.axis]
        for core in slabs(length, self.size):
            wide = widened(core, reach(self.axis), alignment(self.axis), length)
            part = mapped(partial(narrow, axis=self.axis, positions=wide), state)
            after = step(part, self.part(wide))
            inner = range(core.start - wide.start, core.stop - wide.start)
            for to, new in zip(tensors(result), tensors(after), strict=True):
                narrow(to, self.axis, core).copy_(narrow(new, self.axis, inner))
        return result

    def to(self, device: torch.device | str) -> "Slabbed":
        """The same measurement on another device."""
        noise = None if self.noise is None else self.noise.to(device, non_blocking=True)
        adjoint, mask = (t.to(device, non_blocking=True) for t in (self.adjoint, self.mask))
        return replace(self, adjoint=adjoint, mask=mask, noise=noise)


def widened(core: range, reach: int, alignment: int, length: int) -> range:
    """A slab with its surroundings, up to the ends of the volume."""
    start = max(0, core.start - reach) // alignment * alignment
    stop = -(-(core.stop + reach) // alignment) * alignment
    return range(start, min(stop, length))
