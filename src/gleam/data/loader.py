"""The choice of slices, or slabs of volumes, for each batch: that of step t by (seed, t) alone.

So the number of the step is the whole state of the loader, whatever was stopped or resumed, and
on however many devices.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

import numpy as np
import torch

from gleam.data.batch import Batch, Slab
from gleam.data.collate import Item, Raw, read
from gleam.data.example import Example
from gleam.data.feed import Feed
from gleam.data.goal import IMAGES, Goal
from gleam.data.holdout import Split, check_split
from gleam.data.masks import mask_axes, mask_seed, sampling
from gleam.data.volume import collate_volume
from gleam.errors import BadInput
from gleam.physics.sampling import DIMENSIONS
from gleam.recipe import MaskRecipe

MASKS = 1024  # different masks of a shape; drawing a Poisson disc takes longer than a training step
SLAB = 16  # positions of a volume that are reconstructed together, if nothing else is said


@dataclass(frozen=True)
class Slabs:
    """The division of volumes into slabs for training.

    Attributes:
        size: positions along the readout that the loss looks at.
        margin: along an axis (−3, −2, −1), positions on either side that belong to the slab beside.
    """

    size: int
    margin: Callable[[int], int]

    def draw(self, example: Example, chance: float) -> Slab:
        """The slab at a place between the first (0) and the last (1) of a volume.

        All slabs of a volume are of one size, so at its ends the margin is on one side.
        """
        axis = example.header.decoded_axis
        assert axis is not None
        length = example.shape[axis]
        size = min(self.size, length)
        start = int(chance * (length - size + 1))
        wide = min(size + 2 * self.margin(axis), length)
        first = min(max(0, start - self.margin(axis)), length - wide)
        return Slab(axis, range(start, start + size), range(first, first + wide))


class TrainingBatches:
    """Batches for training: every slice once per epoch, a mask drawn afresh for each.

    Of a volume that is learnt from in slabs, as many as it has room for, each drawn anywhere in it.

    Batches are bucketed by shape. A bucket's last batch of an epoch is filled up with slices
    drawn again, so all batches of a run have one size.

    Args:
        examples: with targets, where the goal is images (see `check`).
        mask: what to undersample those with that were sampled in full; of several, one is drawn
            for each batch.
        batch: slices per batch.
        seed: of the order and of the masks.
        share: (i, n) takes the i-th of n equal parts of every batch; n divides `batch`.
        slabs: of volumes, or of slices along their readout; None takes them whole.
        goal: what is to be learnt; of k-space, a scan has one mask, and is split anew every time.
        fetched: maps are to stay in host memory: see `gleam.physics.sense.Sense`.

    Raises:
        BadInput: slabs of what has no readout that was transformed.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        mask: MaskRecipe | Sequence[MaskRecipe],
        batch: int,
        seed: int,
        share: tuple[int, int] = (0, 1),
        slabs: Slabs | None = None,
        goal: Goal = IMAGES,
        fetched: bool = False,
    ) -> None:
        self.masks = (mask,) if isinstance(mask, MaskRecipe) else tuple(mask)
        self.batch, self.seed, self.slabs, self.goal = batch, seed, slabs, goal
        self.fetched = fetched
        part, parts = share
        self._share = slice(part * batch // parts, (part + 1) * batch // parts)
        buckets: dict[tuple[object, ...], list[tuple[Example, int]]] = defaultdict(list)
        for example in examples:
            slices, *shape = example.shape
            key = (*shape, example.sets, example.header.axes, example.header.readout)
            if goal.heldout(example) is not None:
                key = (*key, example.complete)
            places = 1 if slabs is None else _slabs_of(example, slabs.size, self.masks)
            buckets[key] += [(example, index) for index in range(slices) for _ in range(places)]
        self._buckets = list(buckets.values())
        self.steps_per_epoch = sum(-(-len(bucket) // batch) for bucket in self._buckets)
        self._order = lru_cache(maxsize=2)(self._draw_order)

    def at(self, step: int) -> Batch:
        """The batch of a step."""
        return self.raw(step).measure()

    def raw(self, step: int, pinned: bool = False) -> Raw:
        """Data of a step's batch, as they were read; see `gleam.data.collate.read`."""
        items = self._items(step)
        mask = self._mask(step) if items[0].example.complete else None
        return read(items, mask, pinned, self.fetched)

    def shape(self, step: int) -> tuple[int, ...]:
        """Shape of the image of a step's batch, (batch, set, frame, *space); nothing is read."""
        items = self._items(step)
        shape = list(image_shape(items[0].example, len(items)))
        if items[0].slab is not None:
            shape[items[0].slab.axis] = len(items[0].slab.wide)
        return tuple(shape)

    def between(self, first: int, stop: int, device: torch.device | str = "cpu") -> Feed:
        """The batches of steps first … stop − 1 on a device, read while others are used."""
        return Feed(self.raw, range(first, stop), torch.device(device))

    def _mask(self, step: int) -> MaskRecipe:
        """The mask of a step's batch."""
        return self.masks[np.random.default_rng((self.seed, 3, step)).integers(len(self.masks))]

    def _items(self, step: int) -> list[Item]:
        """Items of a step's batch that are this process's share."""
        members = self._members(step)
        seeds = np.random.default_rng((self.seed, 1, step)).integers(MASKS, size=len(members))
        places = np.random.default_rng((self.seed, 2, step)).random(len(members))
        drawn = list(zip(members, seeds, places, strict=True))[self._share]
        each = (self._of_slice(*member, int(seed), float(place)) for member, seed, place in drawn)
        return [item for items in each for item in items]

    def _of_slice(self, example: Example, index: int, seed: int, place: float) -> list[Item]:
        """A slice, as often as it is in the batch."""
        slab = None if self.slabs is None else self.slabs.draw(example, place)
        heldout = self.goal.heldout(example)
        if heldout is None:
            return [Item(example, index, seed, slab)]
        one = Item(example, index, mask_seed(example.header.name), slab)
        return [replace(one, split=Split(heldout, seed, n)) for n in range(heldout.splits)]

    def _members(self, step: int) -> list[tuple[Example, int]]:
        epoch, position = divmod(step, self.steps_per_epoch)
        bucket, members = self._order(epoch)[position]
        return [self._buckets[bucket][member] for member in members]

    def _draw_order(self, epoch: int) -> list[tuple[int, list[int]]]:
        """(bucket, members) of every batch of an epoch."""
        rng = np.random.default_rng((self.seed, 0, epoch))
        batches = []
        for number, bucket in enumerate(self._buckets):
            count = -(-len(bucket) // self.batch)
            order = rng.permutation(len(bucket))
            order = np.resize(order, count * self.batch)
            batches += [(number, members.tolist()) for members in np.split(order, count)]
        return [batches[i] for i in rng.permutation(len(batches))]


def every_slice(
    examples: Sequence[Example],
    mask: MaskRecipe | None,
    batch: int = 1,
    share: tuple[int, int] = (0, 1),
    slab: int = SLAB,
    device: torch.device | str = "cpu",
    goal: Goal = IMAGES,
    fetched: bool = False,
) -> Iterator[Batch]:
    """Every slice in order, scan by scan, with one fixed mask per scan (seeded by its name).

    Args:
        examples: with targets, unless `mask` is None.
        mask: retrospective undersampling; None takes scans as they were acquired.
        batch: slices per batch, all of one scan.
        share: (i, n) takes every n-th batch, from the i-th on.
        slab: positions of volumes that are reconstructed together.
        device: where they are wanted. For a GPU slices are read ahead and transformed there;
            volumes come on the CPU, as their slabs are moved one by one.
        goal: where it is k-space that is predicted, samples are held out that no step saw.
        fetched: maps are to stay in host memory: see `gleam.physics.sense.Sense`.
    """
    if mask is not None:
        for example in examples:
            if goal.heldout(example) is None:
                _need_target(example, "measure against")
    units = [
        [goal.to_judge(example, index) for index in indices]
        for example, indices in slices_in_turn(examples, batch, share)
    ]

    def own(items: Sequence[Item]) -> MaskRecipe | None:
        undersampled = items[0].split is not None and not items[0].example.complete
        return None if undersampled else mask

    def raw(number: int, pinned: bool) -> Raw:
        return read(units[number], own(units[number]), pinned, fetched)

    volumes = {example.header.slab_axis is not None for example in examples} != {False}
    if torch.device(device).type == "cuda" and not volumes:
        yield from Feed(raw, range(len(units)), torch.device(device))
        return
    for items in units:
        if items[0].example.header.slab_axis is not None:
            yield collate_volume(items[0], own(items), slab)
        else:
            yield read(items, own(items), fetched=fetched).measure()


def slices_in_turn(
    examples: Sequence[Example], batch: int, share: tuple[int, int] = (0, 1)
) -> Iterator[tuple[Example, range]]:
    """The slices that `every_slice` makes its batches of."""
    part, parts = share
    batches = (
        (example, range(first, min(first + batch, example.shape[0])))
        for example in examples
        for first in range(0, example.shape[0], batch)
    )
    return islice(batches, part, None, parts)


def image_shape(example: Example, slices: int) -> tuple[int, ...]:
    """Shape of the image of a batch of so many slices, (batch, set, frame, *space)."""
    return (slices, example.sets, *example.shape[2:])


def _slabs_of(example: Example, size: int, masks: Sequence[MaskRecipe]) -> int:
    """Number of slabs of a size that there is room for along the readout."""
    axis = example.header.decoded_axis
    if axis is None:
        raise BadInput(
            f"{example.header.name}: data.slab is for scans whose readout was sampled in full, "
            "which this is not; leave it out"
        )
    for mask in masks if example.complete else ():
        if axis in mask_axes(example.header.readout, len(example.shape) - 3, DIMENSIONS[mask.kind]):
            raise BadInput(
                f"{example.header.name}: mask.kind {mask.kind} leaves out samples of its readout, "
                "so there are no slabs along it; leave out data.slab, or choose another mask"
            )
    return -(-example.shape[axis] // size)


def check(examples: Sequence[Example], mask: MaskRecipe, goal: Goal = IMAGES) -> None:
    """Make sure that every example can be undersampled so, and has a target or samples to hold out.

    Raises:
        BadInput: one has not.
    """
    for example in examples:
        if goal.heldout(example) is None:
            _need_target(example, "learn from or measure against")
            sampling(example, 0, mask)
        else:
            one_mask = mask if example.complete else None
            sampled = sampling(example, mask_seed(example.header.name), one_mask)
            check_split(example, sampled, goal.holdout)


def _need_target(example: Example, purpose: str) -> None:
    if not example.complete:
        raise BadInput(
            f"{example.header.name}: was undersampled when it was scanned, so there is no target "
            f"to {purpose}; use it for reconstruction, without a mask, or learn from it with "
            "training.target: kspace"
        )
