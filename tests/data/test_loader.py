from collections import Counter

import pytest
import torch
from tiny import prepared, tiny_scan

from gleam.data.batch import Batch
from gleam.data.example import Example
from gleam.data.loader import TrainingBatches, every_slice
from gleam.recipe import MaskRecipe

MASK = MaskRecipe(acceleration=1.6)


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    """Two shapes: three scans of 24 × 20, two of 25 × 21 with another number of slices."""
    small = [prepared(tiny_scan(slices=2, seed=i, name=f"small-{i}")) for i in range(3)]
    large = [prepared(tiny_scan((25, 21), 3, seed=i, name=f"large-{i}")) for i in range(2)]
    return [*small, *large]


def same(a: Batch, b: Batch) -> bool:
    assert a.target is not None
    assert b.target is not None
    return (
        (a.scans, a.slices) == (b.scans, b.slices)
        and torch.equal(a.target, b.target)
        and torch.equal(a.measurement.adjoint, b.measurement.adjoint)
        and torch.equal(a.measurement.sense.mask, b.measurement.sense.mask)
    )


def test_batch_is_a_function_of_seed_and_step_alone(examples: list[Example]) -> None:
    batches = TrainingBatches(examples, MASK, 2, seed=7)
    forwards = [batches.at(step) for step in range(12)]
    fresh = TrainingBatches(examples, MASK, 2, seed=7)
    for step in (11, 3, 0, 8, 3):
        assert same(fresh.at(step), forwards[step])
    for batch, expected in zip(fresh.between(4, 9), forwards[4:9], strict=True):
        assert same(batch, expected)


def test_other_seed_gives_other_batches(examples: list[Example]) -> None:
    one, other = (TrainingBatches(examples, MASK, 2, seed=seed) for seed in (0, 1))
    assert not all(same(one.at(step), other.at(step)) for step in range(3))


def test_every_slice_once_per_epoch_and_shapes_never_mix(examples: list[Example]) -> None:
    batches = TrainingBatches(examples, MASK, 1, seed=0)
    assert batches.steps_per_epoch == 12
    orders = []
    for epoch in range(2):
        steps = range(12 * epoch, 12 * epoch + 12)
        orders.append([(b.scans[0], b.slices[0]) for b in map(batches.at, steps)])
        assert len(set(orders[-1])) == 12
    assert orders[0] != orders[1]


def test_last_batch_of_a_bucket_is_filled_up(examples: list[Example]) -> None:
    batches = TrainingBatches(examples, MASK, 4, seed=0)
    assert batches.steps_per_epoch == 4  # 6 slices of each shape make 2 batches
    seen: Counter[tuple[str, int]] = Counter()
    for step in range(4):
        batch = batches.at(step)
        assert len(batch.scans) == 4
        assert len({name.split("-")[0] for name in batch.scans}) == 1
        seen.update(zip(batch.scans, batch.slices, strict=True))
    assert len(seen) == 12
    assert set(seen.values()) <= {1, 2}


def test_masks_differ_between_steps_but_not_between_readings(examples: list[Example]) -> None:
    batches = TrainingBatches(examples[:1], MASK, 1, seed=0)
    masks = [batches.at(step).measurement.sense.mask.flatten().tolist() for step in range(8)]
    assert len({tuple(mask) for mask in masks}) > 2


def test_every_slice_goes_through_in_order_with_one_mask_per_scan(examples: list[Example]) -> None:
    batches = list(every_slice(examples, MASK, 2))
    seen = [one for b in batches for one in zip(b.scans, b.slices, strict=True)]
    assert seen == [(e.header.name, i) for e in examples for i in range(e.shape[0])]
    masks: dict[str, set[tuple[bool, ...]]] = {}
    for batch in batches:
        for name, mask in zip(batch.scans, batch.measurement.sense.mask, strict=True):
            masks.setdefault(name, set()).add(tuple(mask.flatten().tolist()))
    assert all(len(of_scan) == 1 for of_scan in masks.values())
    assert len(set.union(*masks.values())) > 2
    again = list(every_slice(examples, MASK, 2))
    assert all(same(a, b) for a, b in zip(batches, again, strict=True))
