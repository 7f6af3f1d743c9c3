"""Memory that making a batch takes, when what was read becomes an image by Aᴴ: between two steps on
a GPU; on a CPU beside them, as a thread makes the next batch while this one is learnt from.
"""

import math
from dataclasses import replace
from functools import lru_cache

import torch

from gleam.arrays import tensors
from gleam.data.batch import Slab
from gleam.data.collate import Item, read
from gleam.data.header import Header
from gleam.data.holdout import Split
from gleam.planning.hollow import Stored
from gleam.planning.machine import Machine
from gleam.planning.scans import ScanSize
from gleam.planning.trace import HOST, Tracer, fake
from gleam.recipe import Recipe

UNMOVED = tuple(tuple(float(row == column) for column in range(4)) for row in range(4))


def making(recipe: Recipe, scan: ScanSize, machine: Machine, slab: Slab | None) -> int:
    """Bytes of a batch, and of all that is there with it while it is made.

    Args:
        recipe: of the training.
        scan: what it learns from.
        machine: where batches are made.
        slab: the part of a volume that is taken; None for all.
    """
    split = Split(recipe.training.holdout, 0) if recipe.training.target == "kspace" else None
    sets, mask = recipe.network.sets, scan.mask_shape(recipe)
    fetched = recipe.training.maps == "host"
    slices, splits = recipe.data.batch, recipe.images_per_step // recipe.data.batch
    return _made((slices, splits), sets, mask, split, fetched, scan, machine, slab)


@lru_cache(maxsize=256)  # whatever the network, batches are made alike
def _made(
    count: tuple[int, int],
    sets: int,
    mask: tuple[int, ...],
    split: Split | None,
    fetched: bool,
    scan: ScanSize,
    machine: Machine,
    slab: Slab | None,
) -> int:
    (slices, splits), example = count, _hollow(scan, sets, mask)
    items = [Item(example, n, 0, slab, split) for n in range(slices) for _ in range(splits)]
    if not machine.is_gpu:
        with (tracer := Tracer([])):
            read(items, None).measure()
        return tracer.trace.peak.total
    raw = read(items, None, fetched=fetched)
    voxels = math.prod(raw.kspace[0].shape[1:]) * len(items)
    raw = replace(raw, coils_at_once=machine.coils(scan.coils, voxels)[1])
    if split is None or fetched:
        raw = replace(raw, kspace=[one.to(HOST) for one in raw.kspace])
    if fetched:
        raw = replace(raw, maps=raw.maps.to(HOST))
    there = [one for one in tensors(vars(raw)) if one.device != HOST]
    with (tracer := Tracer(there, gpu=True)):
        raw.measure()
    taken = max(tracer.trace.peak.total, tracer.reserved)
    return taken + sum(tensor.nbytes for tensor in there)


def _hollow(scan: ScanSize, sets: int, mask: tuple[int, ...]) -> Stored:
    """An example of that size, the readout decoded, of which about half was sampled."""
    space = scan.space
    header = Header(
        name="",
        axes=tuple(axis for axis in range(-len(space), 0) if axis != scan.first),
        readout=scan.first,
        calibration=(0,) * len(space),
        scale=1,
        noise=None,
        matrix=space,
        voxel=(1, 1, 1),
        affine=UNMOVED,
        contrast={},
    )
    sampled = torch.zeros(mask, dtype=torch.bool)
    for axis, length in enumerate(mask[1:], -len(space)):  # it varies along each
        sampled ^= (torch.arange(length) % 2 > 0).reshape(-1, *[1] * (-1 - axis))
    return Stored(fake(), header, (1, scan.coils, scan.frames, *space), sets, sampled, True)
