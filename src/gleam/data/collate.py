"""Batches: slices of examples, or slabs of volumes, undersampled and collated to a measurement."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce

import numpy as np
import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from gleam.arrays import Image, KSpace, Maps, Mask, narrow
from gleam.data.batch import Batch, Slab
from gleam.data.example import Example, Slice, in_slabs
from gleam.data.holdout import Draw, Split
from gleam.data.masks import sampling, space_axes, varying
from gleam.formats.upright import Upright, upright
from gleam.physics.fourier import Axes, fft, ifft
from gleam.physics.measurement import Measurement
from gleam.physics.prediction import HeldOut
from gleam.physics.sense import Sense, coils_together
from gleam.recipe import MaskRecipe


@dataclass(frozen=True)
class Item:
    """One slice of an example, or a slab of a volume, and the seed of its mask."""

    example: Example
    index: int
    seed: int
    slab: Slab | None = None
    split: Split | Draw | None = None

    @property
    def place(self) -> tuple[int, int, Slab | None]:
        """Example, slice and slab that are read."""
        return id(self.example), self.index, self.slab

    def read(self) -> Slice:
        """Read the item's data, and nothing else of a volume."""
        if self.slab is None:
            return self.example[self.index]
        if in_slabs(self.example):
            return self.example.slab(self.slab.wide)
        whole, part = self.example[self.index], (self.slab.axis, self.slab.wide)
        target = None if whole.target is None else narrow(whole.target, *part)
        return Slice(narrow(whole.kspace, *part), narrow(whole.maps, *part), target)


@dataclass(frozen=True)
class Raw:
    """Data of a batch as they were read: masks are drawn, but nothing is transformed.

    So what was read can go to a GPU, once, and be transformed and masked there.

    Attributes:
        items: what was read.
        kspace: of each item, shift-free along the axes that it is stored so, else image.
        maps: S.
        mask: M.
        axes: the axes that F runs along.
        noise: standard deviation of each item's noise.
        target: of each item; None where one has none, or none is to be read.
        heldout: samples to be predicted, which M leaves out; None where there are none.
        coils_at_once, fetched: see `Sense`.
    """

    items: Sequence[Item]
    kspace: Sequence[Complex[Tensor, "coil frame *space"]]
    maps: Maps
    mask: Mask
    axes: Axes
    noise: Float[Tensor, "batch"]
    target: Image | None
    heldout: Mask | None = None
    coils_at_once: int = 0
    fetched: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of what was read."""
        return sum(one.nbytes for one in (*self.kspace, self.maps, self.target) if one is not None)

    def to(self, device: torch.device | str) -> "Raw":
        """The same on another device; from pinned memory the program does not wait for it.

        K-space stays where it is, unless some of it is to be predicted: Aᴴ is all that needs it.
        Maps that are fetched stay, and k-space with them.
        """
        move = partial(torch.Tensor.to, device=device, non_blocking=True)
        stays = self.fetched or self.heldout is None
        return replace(
            self,
            kspace=self.kspace if stays else [move(one) for one in self.kspace],
            maps=self.maps if self.fetched else move(self.maps),
            mask=move(self.mask),
            noise=move(self.noise),
            target=None if self.target is None else move(self.target),
            heldout=None if self.heldout is None else move(self.heldout),
        )

    def measure(self) -> Batch:
        """Apply Aᴴ, where the mask is."""
        sense = Sense(self.maps, self.mask, self.axes, self.coils_at_once, self.fetched)
        first = self.items[0].example.header
        read = partial(kspace_of, self.items, self.axes, self.mask)
        kspace = self._whole() if self._is_here or self.heldout is not None else None
        adjoint = self._by_few_coils(sense) if kspace is None else sense.adjoint(kspace)
        return Batch(
            measurement=Measurement(sense, adjoint, self.noise, read),
            target=self.target,
            scans=[item.example.header.name for item in self.items],
            slices=[item.index for item in self.items],
            matrix=first.matrix,
            cores=[item.slab for item in self.items if item.slab is not None] or None,
            upright=[upright_of(item.example) for item in self.items],
            voxel=first.voxel,
            heldout=None
            if self.heldout is None or kspace is None
            else self._heldout(replace(sense, mask=self.heldout), kspace),
        )

    @property
    def _is_here(self) -> bool:
        """Whether k-space lies where it is worked on."""
        return self.kspace[0].device == self.mask.device

    def _by_few_coils(self, sense: Sense) -> Image:
        """Aᴴy of k-space that lies elsewhere, and is never here as a whole."""
        parts = (
            replace(sense, maps=self.maps[:, :, some]).adjoint(self._of_coils(some))
            for some in self._groups()
        )
        return reduce(Tensor.add_, parts)

    def _whole(self) -> KSpace:
        """K-space of all coils, where it lies."""
        if self._is_here:
            return self._of_coils(slice(None))
        home = self.kspace[0].device
        return torch.cat([self._of_coils(some).to(home) for some in self._groups()], 1)

    def _groups(self) -> list[slice]:
        """The coils that come from elsewhere together."""
        count, (coils, *sizes) = len(self.kspace), self.kspace[0].shape
        step = self.coils_at_once or coils_together(coils, count * math.prod(sizes), on_gpu=True)
        return [slice(first, first + step) for first in range(0, coils, step)]

    def _of_coils(self, some: slice) -> KSpace:
        """K-space of some coils, where the mask is."""
        now = self.items[0].example.header.axes
        parts = [one[some].to(self.mask.device, non_blocking=True) for one in self.kspace]
        return torch.stack([_in_kspace(one, now, self.axes) for one in parts])

    def _heldout(self, sense: Sense, kspace: KSpace) -> HeldOut:
        """Held-out samples; of slabs, those of the cores."""
        slabs = [item.slab for item in self.items if item.slab is not None]
        if not slabs:
            return HeldOut(sense, kspace)  # maps are those of the measurement
        cores = []
        for i, slab in enumerate(slabs):
            one = replace(sense, maps=sense.maps[i : i + 1], mask=sense.mask[i : i + 1])
            cores.append(HeldOut(one, kspace[i : i + 1]).part(slab.axis, slab.inside))
        maps, masks, samples = (
            torch.cat(parts)
            for parts in (
                [core.sense.maps for core in cores],
                [core.sense.mask for core in cores],
                [core.kspace for core in cores],
            )
        )
        return HeldOut(replace(sense, maps=maps, mask=masks), samples)


def read(
    items: Sequence[Item], mask: MaskRecipe | None, pinned: bool = False, fetched: bool = False
) -> Raw:
    """Read slices, or slabs, of equal shape, and draw their masks.

    Args:
        items: of one bucket (see `gleam.data.loader`).
        mask: retrospective undersampling; None reconstructs from all that was acquired.
        pinned: into memory from which a GPU copies by itself.
        fetched: maps are to stay in host memory: see `Sense`.

    Raises:
        BadInput: an acceleration that the calibration region alone exceeds.
    """
    places = {item.place: item for item in items}  # several splits of a slice read it once
    there = {place: item.read() for place, item in places.items()}
    slices = [there[item.place] for item in items]
    masks, axes = masks_of(items, mask)
    splits = [
        item.split(item.example, m, axes)
        for item, m in zip(items, masks, strict=True)
        if item.split is not None
    ]
    if splits:
        masks = [_of_slab(given, item.slab) for (given, _), item in zip(splits, items, strict=True)]
    held = [_of_slab(one, item.slab) for (_, one), item in zip(splits, items, strict=False)]
    targets = [s.target for s in slices if s.target is not None and not splits]
    return Raw(
        items=items,
        kspace=[s.kspace.pin_memory() if pinned else s.kspace for s in slices],
        maps=_stacked([s.maps for s in slices], pinned),
        mask=_masks(masks, pinned),
        axes=axes,
        noise=_stacked([torch.tensor(_noise(item.example)) for item in items], pinned),
        target=_stacked(targets, pinned) if len(targets) == len(slices) else None,
        heldout=_masks(held, pinned) if held else None,
        fetched=fetched,
    )


def masks_of(
    items: Sequence[Item], mask: MaskRecipe | None
) -> tuple[list[Bool[Tensor, "#frame *#space"]], Axes]:
    """The masks of each item, and the axes that F runs along.

    Raises:
        BadInput: see `read`.
    """
    masks = [sampling(item.example, item.seed, mask) for item in items]
    axes = tuple(sorted({a for m in masks for a in varying(m)})) or items[0].example.header.axes
    # Where no mask varies, one position stands for all.
    return [
        m[:, *(slice(None) if a in axes else slice(0, 1) for a in space_axes(m))] for m in masks
    ], axes


def _masks(masks: Sequence[Tensor], pinned: bool) -> Mask:
    """One of each item, of the same size."""
    shape = [max(sizes) for sizes in zip(*(m.shape for m in masks), strict=True)]
    return _stacked([m.expand(shape)[None] for m in masks], pinned)


def _of_slab(mask: Tensor, slab: Slab | None) -> Tensor:
    """The mask of a slab: its own, where samples are held out along the readout, too."""
    if slab is None or mask.shape[slab.axis] == 1:
        return mask
    return narrow(mask, slab.axis, slab.wide)


def collate(items: Sequence[Item], mask: MaskRecipe | None) -> Batch:
    """Read slices, or slabs, of equal shape, undersample them, and apply Aᴴ; see `read`."""
    return read(items, mask).measure()


def upright_of(example: Example) -> Upright | None:
    """The orientation in which an example's planes are shown; None where its place is not known."""
    header = example.header
    return upright(np.array(header.affine), header.matrix, header.voxel, example.shape[0])


def _noise(example: Example) -> float:
    """NaN where it is unknown."""
    noise = example.header.noise
    return math.nan if noise is None else noise


def kspace_of(items: Sequence[Item], axes: Axes, mask: Mask) -> KSpace:
    """The k-space of a batch, read anew, where its mask is."""
    kspace = [item.read().kspace.to(mask.device) for item in items]
    return (
        torch.stack([_in_kspace(one, items[0].example.header.axes, axes) for one in kspace]) * mask
    )


def _stacked(tensors: Sequence[Tensor], pinned: bool) -> Tensor:
    if not pinned:
        return torch.stack([*tensors])
    into = torch.empty((len(tensors), *tensors[0].shape), dtype=tensors[0].dtype, pin_memory=True)
    return torch.stack([*tensors], out=into)


def _in_kspace(kspace: Tensor, now: Axes, wanted: Axes) -> Tensor:
    """Transform hybrid data so that exactly the axes wanted are in k-space."""
    decode = tuple(a for a in now if a not in wanted)
    encode = tuple(a for a in wanted if a not in now)
    kspace = ifft(kspace, decode) if decode else kspace
    return fft(kspace, encode) if encode else kspace
