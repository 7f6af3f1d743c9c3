"""`Batch`: some slices, or slabs of volumes, ready for a network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Complex
from torch import Tensor

from gleam.arrays import AnyTensor, Image, narrow
from gleam.formats.upright import Upright
from gleam.physics.measurement import Measured
from gleam.physics.prediction import HeldOut, HeldOutSlabs


@dataclass(frozen=True)
class Batch:
    """Some slices, ready for a network.

    Attributes:
        measurement: what to reconstruct from.
        target: what to reconstruct; None for scans that were undersampled when they were made.
        scans: the scan's name of each.
        slices: the slice's number in it.
        matrix: the size that results are cropped to before they are judged or written.
        cores: of slabs with margins, each one's: where results count.
        upright: how each one's planes are shown; None where its place is not known.
        voxel: mm along each space axis, then the slice distance of 2D scans; empty if not known.
        heldout: samples that the measurement leaves out, of the core; None where it has them all.
    """

    measurement: Measured
    target: Image | None
    scans: list[str]
    slices: list[int]
    matrix: tuple[int, ...]
    cores: list["Slab"] | None = None
    upright: Sequence[Upright | None] = ()
    voxel: tuple[float, ...] = ()
    heldout: HeldOut | HeldOutSlabs | None = None

    def core(self, image: Image) -> Complex[Tensor, "batch set frame *core"]:
        """The part of an image, or of the target, that counts."""
        if self.cores is None:
            return image
        # A pipeline hands over one image of the batch at a time; cores are of one size.
        return torch.cat([self.cores[i].inner(image[i : i + 1]) for i in range(len(image))])

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        return replace(
            self,
            measurement=self.measurement.to(device),
            target=None if self.target is None else self.target.to(device, non_blocking=True),
            heldout=None if self.heldout is None else self.heldout.to(device),
        )


@dataclass(frozen=True)
class Slab:
    """Some positions along the readout of a volume, and what lies around them.

    Attributes:
        axis: the readout.
        core: positions that count.
        wide: positions that are read.
    """

    axis: int
    core: range
    wide: range

    @property
    def inside(self) -> range:
        """Positions of the core within the wide slab."""
        return range(self.core.start - self.wide.start, self.core.stop - self.wide.start)

    def inner(self, wide: AnyTensor) -> AnyTensor:
        """The core of an array of the wide slab."""
        return narrow(wide, self.axis, self.inside)
