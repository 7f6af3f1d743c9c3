"""Batches: slices of examples, or slabs of volumes, undersampled and collated into a measurement.

A volume to reconstruct comes as a `Slabbed` measurement: its Aᴴy and target are made slab by slab,
and its k-space is never in memory as a whole.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Complex
from numpy.typing import NDArray
from torch import Tensor

from gleam.arrays import Image, KSpace, Maps, Mask, cut, slabs
from gleam.data.example import Example, Slice
from gleam.errors import BadInput
from gleam.formats.region import bounding_box
from gleam.formats.upright import Upright, upright
from gleam.physics.fourier import Axes, fft, ifft
from gleam.physics.measurement import Measured, Measurement
from gleam.physics.sampling import DIMENSIONS, draw
from gleam.physics.sense import Sense
from gleam.physics.slabs import Slabbed
from gleam.recipe import MaskRecipe


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
    """

    measurement: Measured
    target: Image | None
    scans: list[str]
    slices: list[int]
    matrix: tuple[int, ...]
    cores: list["Slab"] | None = None
    upright: Sequence[Upright | None] = ()

    def core(self, image: Image) -> Complex[Tensor, "batch set frame *core"]:
        """The part of an image, or of the target, that counts."""
        if self.cores is None:
            return image
        # A pipeline hands over one image of the batch at a time; cores are of one size.
        return torch.cat([self.cores[i].inner(image[i : i + 1]) for i in range(len(image))])

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        target = None if self.target is None else self.target.to(device, non_blocking=True)
        return replace(self, measurement=self.measurement.to(device), target=target)


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

    def inner(self, wide: Tensor) -> Tensor:
        """The core of an array of the wide slab."""
        first, last = self.core.start - self.wide.start, self.core.stop - self.wide.start
        return cut(wide, self.axis, range(first, last))


@dataclass(frozen=True)
class Item:
    """One slice of an example, or a slab of a volume, and the seed of its mask."""

    example: Example
    index: int
    seed: int
    slab: Slab | None = None

    def read(self) -> Slice:
        """What it is made of; nothing else is read."""
        if self.slab is None:
            return self.example[self.index]
        return self.example.slab(self.slab.wide)


def collate(items: Sequence[Item], mask: MaskRecipe | None) -> Batch:
    """Read slices, or slabs, of equal shape, undersample them, and apply Aᴴ.

    Args:
        items: of one bucket (see `gleam.data.loader`).
        mask: retrospective undersampling; None reconstructs from all that was acquired.

    Raises:
        BadInput: an acceleration that the calibration region alone exceeds.
    """
    slices = [item.read() for item in items]
    masks = [sampling(item, mask) for item in items]
    axes = tuple(sorted({a for m in masks for a in _varying(m)})) or items[0].example.header.axes
    # Where no mask varies, one position stands for all.
    masks = [m[:, *(slice(None) if a in axes else slice(0, 1) for a in _axes(m))] for m in masks]
    shape = [max(sizes) for sizes in zip(*(m.shape for m in masks), strict=True)]
    mask_batch = torch.stack([m.expand(shape)[None] for m in masks])
    sense = Sense(torch.stack([s.maps for s in slices]), mask_batch, axes)
    targets = [s.target for s in slices if s.target is not None]
    cores = [item.slab for item in items if item.slab is not None]
    return Batch(
        measurement=replace(
            Measurement.of(
                sense,
                _kspace(items, slices, axes),
                torch.tensor([item.example.header.noise for item in items]),
            ),
            read=partial(_measured, items, axes, mask_batch),
        ),
        target=torch.stack(targets) if len(targets) == len(slices) else None,
        scans=[item.example.header.name for item in items],
        slices=[item.index for item in items],
        matrix=items[0].example.header.matrix,
        cores=cores or None,
        upright=[upright_of(item.example) for item in items],
    )


def collate_volume(item: Item, mask: MaskRecipe | None, size: int) -> Batch:
    """A volume whose readout is not in k-space, to be reconstructed in slabs of `size` positions.

    Raises:
        BadInput: see `collate`.
    """
    example, axis = item.example, item.example.header.slab_axis
    assert axis is not None
    adjoints, targets = [], []
    for positions in slabs(example.shape[axis], size):
        batch = collate([replace(item, slab=Slab(axis, positions, positions))], mask)
        adjoints.append(batch.measurement.adjoint)
        if batch.target is not None:
            targets.append(batch.target)

    def maps(positions: range) -> Maps:
        return example.maps(positions)[None]

    def kspace(positions: range) -> KSpace:
        part = replace(item, slab=Slab(axis, positions, positions))
        return _measured([part], one.axes, one.mask)

    one = batch.measurement
    adjoint = torch.cat(adjoints, axis)
    whole = Slabbed(maps, one.mask, one.axes, axis, size, adjoint, one.noise, kspace)
    target = torch.cat(targets, axis) if targets else None
    return replace(batch, measurement=whole, target=target, cores=None)


def upright_of(example: Example) -> Upright | None:
    """How an example's planes are shown; None where its place is not known."""
    header = example.header
    return upright(np.array(header.affine), header.matrix, header.voxel, example.shape[0])


def mask_seed(name: str) -> int:
    """The seed of a scan's one mask in validation and test."""
    return zlib.crc32(name.encode())


def sampling(item: Item, mask: MaskRecipe | None) -> Tensor:
    """What is sampled, (frame, *space) with axes of length 1; shift-free order.

    A mask takes its share of what was acquired: lines a vendor filled with zeros do not count, nor
    do corners beyond an ellipse. Lines count alike, be they shorter at the ellipse's ends or not.

    Raises:
        BadInput: the calibration region alone exceeds that share, or it is more than the shutter
            holds; or there are no frames for a mask over k and t.
    """
    sampled = item.example.sampled
    if mask is None:
        return sampled
    header, (_, _, frames, *space) = item.example.header, item.example.shape
    if mask.kind.startswith("kt-") and frames == 1:
        raise BadInput(
            f"{header.name}: has one frame, but a {mask.kind} mask differs from frame to frame; "
            "choose another mask.kind"
        )
    axes = mask_axes(header.readout, len(space), DIMENSIONS[mask.kind])
    shape = tuple(space[a] for a in axes)
    centre = tuple(header.calibration[a] for a in axes)
    some = _somewhere(sampled, axes, shape)
    limits = bounding_box(some[None])
    try:
        drawn = draw(
            mask.kind,
            shape,
            mask.acceleration,
            centre,
            item.seed,
            tuple((edges.start, edges.stop) for edges in limits),
            frames,
            mask.shutter,
            None if some[limits].all() else some.tobytes(),
        )
    except BadInput as error:
        raise BadInput(
            f"{header.name}: {error}; `gleam prepare --calibration` sets its size"
        ) from error
    pattern = torch.from_numpy(np.fft.ifftshift(drawn, tuple(range(-len(axes), 0))))
    whole = [space[a] if a in axes else 1 for a in _axes(sampled)]
    return sampled & pattern.reshape(-1, *whole)  # one for all frames, or one for each


def _somewhere(sampled: Tensor, axes: Axes, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where along some axes anything was acquired, (*shape), in centred order."""
    others = [a for a in _axes(sampled) if a not in axes]
    along = sampled.any(0).amax(dim=others) if others else sampled.any(0)
    centred: NDArray[np.bool_] = torch.fft.fftshift(along.expand(shape)).numpy()
    return centred


def mask_axes(readout: int | None, dims: int, wanted: int) -> Axes:
    """The axes a retrospective mask varies along.

    They are the last phase-encoding ones; where those do not suffice (a 2D mask on a 2D slice)
    the readout is one of them.
    """
    phase = [a for a in range(-dims, 0) if a != readout]
    chosen = phase[-wanted:] if len(phase) >= wanted else list(range(-dims, 0))[-wanted:]
    return tuple(chosen)


def _kspace(items: Sequence[Item], slices: Sequence[Slice], axes: Axes) -> KSpace:
    return torch.stack(
        [
            _in_kspace(s.kspace, item.example.header.axes, axes)
            for s, item in zip(slices, items, strict=True)
        ]
    )


def _measured(items: Sequence[Item], axes: Axes, mask: Mask) -> KSpace:
    """What a batch was made of, read again."""
    return _kspace(items, [item.read() for item in items], axes) * mask


def _in_kspace(kspace: Tensor, now: Axes, wanted: Axes) -> Tensor:
    """Transform hybrid data so that exactly the axes wanted are in k-space."""
    decode = tuple(a for a in now if a not in wanted)
    encode = tuple(a for a in wanted if a not in now)
    kspace = ifft(kspace, decode) if decode else kspace
    return fft(kspace, encode) if encode else kspace


def _varying(mask: Tensor) -> list[int]:
    return [a for a in _axes(mask) if not (mask == mask.narrow(a, 0, 1)).all()]


def _axes(mask: Tensor) -> range:
    return range(1 - mask.ndim, 0)
