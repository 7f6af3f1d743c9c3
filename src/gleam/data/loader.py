"""Which slices make which batch: the batch of step t is a function of (seed, t) alone.

So the number of the step is the whole state of the loader, whatever was stopped or resumed, and
on however many devices.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import islice

import numpy as np
import torch

from gleam.data.batch import Batch, Item, collate, mask_seed, sampling
from gleam.data.example import Example
from gleam.errors import BadInput
from gleam.recipe import MaskRecipe

MASKS = 1024  # different masks of a shape; drawing a Poisson disc takes longer than a training step


class TrainingBatches:
    """Batches for training: every slice once per epoch, a mask drawn afresh for each.

    Batches are bucketed by shape. A bucket's last batch of an epoch is filled up with slices
    drawn again, so all batches of a run have one size.

    Args:
        examples: with targets (see `check`).
        mask: what to undersample them with.
        batch: slices per batch.
        seed: of the order and of the masks.
        share: (i, n) takes the i-th of n equal parts of every batch; n divides `batch`.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        mask: MaskRecipe,
        batch: int,
        seed: int,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.mask, self.batch, self.seed = mask, batch, seed
        part, parts = share
        self._share = slice(part * batch // parts, (part + 1) * batch // parts)
        buckets: dict[tuple[object, ...], list[tuple[Example, int]]] = defaultdict(list)
        for example in examples:
            slices, *shape = example.shape
            key = (*shape, example.sets, example.header.axes, example.header.readout)
            buckets[key] += [(example, index) for index in range(slices)]
        self._buckets = list(buckets.values())
        self.steps_per_epoch = sum(-(-len(bucket) // batch) for bucket in self._buckets)
        self._order = lru_cache(maxsize=2)(self._draw_order)

    def at(self, step: int) -> Batch:
        """The batch of a step."""
        members = self._members(step)
        seeds = np.random.default_rng((self.seed, 1, step)).integers(MASKS, size=len(members))
        items = [Item(*one, int(seed)) for one, seed in zip(members, seeds, strict=True)]
        return collate(items[self._share], self.mask)

    def shape(self, step: int) -> tuple[int, ...]:
        """Of the image of a step's batch, (batch, set, frame, *space); nothing is read."""
        members = self._members(step)[self._share]
        return image_shape(members[0][0], len(members))

    def between(self, first: int, stop: int) -> Iterator[Batch]:
        """The batches of steps first … stop − 1, each read while the one before is used."""
        # One thread of its own: with a whole team, reader and training would fight over the cores.
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as reader:
            coming = reader.submit(self.at, first)
            for step in range(first, stop):
                batch = coming.result()
                if step + 1 < stop:
                    coming = reader.submit(self.at, step + 1)
                yield batch

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
) -> Iterator[Batch]:
    """Every slice in order, scan by scan, with one fixed mask per scan (seeded by its name).

    Args:
        examples: with targets, unless `mask` is None.
        mask: retrospective undersampling; None takes scans as they were acquired.
        batch: slices per batch, all of one scan.
        share: (i, n) takes every n-th batch, from the i-th on.
    """
    if mask is not None:
        for example in examples:
            _need_target(example, "measure against")
    for example, indices in slices_in_turn(examples, batch, share):
        seed = mask_seed(example.header.name)
        yield collate([Item(example, index, seed) for index in indices], mask)


def slices_in_turn(
    examples: Sequence[Example], batch: int, share: tuple[int, int] = (0, 1)
) -> Iterator[tuple[Example, range]]:
    """Of which slices `every_slice` makes its batches."""
    part, parts = share
    batches = (
        (example, range(first, min(first + batch, example.shape[0])))
        for example in examples
        for first in range(0, example.shape[0], batch)
    )
    return islice(batches, part, None, parts)


def image_shape(example: Example, slices: int) -> tuple[int, ...]:
    """Of the image of a batch of so many slices, (batch, set, frame, *space)."""
    return (slices, example.sets, *example.shape[2:])


def check(examples: Sequence[Example], mask: MaskRecipe) -> None:
    """Make sure that every example has a target and can be undersampled so.

    Raises:
        BadInput: one cannot.
    """
    for example in examples:
        _need_target(example, "learn from or measure against")
        sampling(Item(example, 0, 0), mask)


def _need_target(example: Example, purpose: str) -> None:
    if not example.complete:
        raise BadInput(
            f"{example.header.name}: was undersampled when it was scanned, so there is no target "
            f"to {purpose}; use it for reconstruction, without a mask"
        )
