"""`collate_volume`: a volume to reconstruct as a `Slabbed` measurement.

Its Aᴴy and target are made slab by slab, and its k-space is never in memory as a whole.
"""

from dataclasses import replace

import torch

from gleam.arrays import KSpace, Maps, narrow, slabs
from gleam.data.batch import Batch, Slab
from gleam.data.collate import Item, collate, kspace_of
from gleam.data.example import in_slabs
from gleam.physics.prediction import HeldOut, HeldOutSlabs
from gleam.physics.slabs import Slabbed
from gleam.recipe import MaskRecipe


def collate_volume(item: Item, mask: MaskRecipe | None, size: int) -> Batch:
    """A volume whose readout is not in k-space, to be reconstructed in slabs of `size` positions.

    Raises:
        BadInput: see `collate`.
    """
    example, axis = item.example, item.example.header.slab_axis
    assert axis is not None
    assert in_slabs(example)
    adjoints, targets, masks = [], [], []
    for positions in slabs(example.shape[axis], size):
        batch = collate([replace(item, slab=Slab(axis, positions, positions))], mask)
        adjoints.append(batch.measurement.adjoint)
        masks.append(batch.measurement.mask)
        if batch.target is not None:
            targets.append(batch.target)

    def maps(positions: range) -> Maps:
        return example.maps(positions)[None]

    def kspace(positions: range) -> KSpace:
        part = replace(item, slab=Slab(axis, positions, positions))
        mask = narrow(sampled, axis, positions) if sampled.shape[axis] > 1 else sampled
        return kspace_of([part], one.axes, mask)

    def heldout(positions: range) -> HeldOut:
        part = replace(item, slab=Slab(axis, positions, positions))
        found = collate([part], mask).heldout
        assert isinstance(found, HeldOut)
        return found

    one = batch.measurement
    adjoint = torch.cat(adjoints, axis)
    sampled = torch.cat(masks, axis) if masks[0].shape[axis] > 1 else one.mask
    whole = Slabbed(maps, sampled, one.axes, axis, size, adjoint, one.noise, kspace)
    target = torch.cat(targets, axis) if targets else None
    parts = None
    if item.split is not None:
        parts = HeldOutSlabs(heldout, axis, slabs(example.shape[axis], size))
    return replace(batch, measurement=whole, target=target, cores=None, heldout=parts)
