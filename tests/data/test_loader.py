from collections import Counter
from dataclasses import replace

import pytest
import torch
from tiny import prepared, tiny_scan

from gleam.arrays import narrow
from gleam.data.batch import Batch
from gleam.data.collate import collate
from gleam.data.example import Example, ExampleFile, find, write
from gleam.data.loader import Slabs, TrainingBatches, every_slice
from gleam.errors import BadInput
from gleam.physics.slabs import Slabbed
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


MASKS = [MASK, MaskRecipe(kind="random", acceleration=1.8)]


def test_of_several_masks_each_batch_draws_one(examples: list[Example]) -> None:
    batches = TrainingBatches(examples[:3], MASKS, 2, seed=5)
    taken = [batches._mask(step) for step in range(40)]
    assert {one: taken.count(one) > 5 for one in MASKS} == dict.fromkeys(MASKS, True)
    for step in range(6):
        alone = TrainingBatches(examples[:3], taken[step], 2, seed=5)
        assert same(batches.at(step), alone.at(step))


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


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> list[ExampleFile]:
    folder = tmp_path_factory.mktemp("volumes")
    for seed in range(2):
        scan = tiny_scan((20, 24, 18), 1, seed=seed, name=f"volume-{seed}")
        write(prepared(scan, calibration=6), folder / f"{seed}.h5")
    return find(folder, 1)


def in_slabs(volumes: list[ExampleFile], size: int, margin: int, **kind: object) -> TrainingBatches:
    slabs = Slabs(size, lambda axis: margin)
    return TrainingBatches(volumes, MASK, batch=2, seed=1, slabs=slabs, **kind)  # type: ignore[arg-type]


def test_slabs_lie_anywhere_and_have_their_surroundings(volumes: list[ExampleFile]) -> None:
    batches = in_slabs(volumes, size=4, margin=3)
    assert batches.steps_per_epoch == 2 * 5 / 2
    starts = set()
    for step in range(20):
        batch = batches.at(step)
        assert batch.measurement.adjoint.shape == batches.shape(step) == (2, 1, 1, 10, 24, 18)
        assert batch.target is not None
        assert batch.core(batch.target).shape == (2, 1, 1, 4, 24, 18)
        for slab in batch.cores or []:
            starts.add(slab.core.start)
            assert 0 <= slab.wide.start <= slab.core.start < slab.core.stop <= slab.wide.stop <= 20
            assert slab.wide.start in (slab.core.start - 3, 0, 10)
    assert {0, 16} & starts
    assert len(starts) > 10


def test_slab_is_that_of_the_volume_with_its_mask(volumes: list[ExampleFile]) -> None:
    batch = in_slabs(volumes, size=4, margin=3).at(7)
    items = in_slabs(volumes, 4, 3)._items(7)
    for i, (item, slab) in enumerate(zip(items, batch.cores or [], strict=True)):
        whole = collate([replace(item, slab=None)], MASK)
        part = narrow(whole.measurement.adjoint[0], -3, slab.wide)
        assert torch.allclose(batch.measurement.adjoint[i], part, atol=1e-6)
        assert torch.equal(batch.measurement.mask[i], whole.measurement.mask[0])
        assert batch.target is not None
        assert whole.target is not None
        assert torch.equal(batch.core(batch.target)[i], narrow(whole.target[0], -3, slab.core))


def test_slabs_are_a_function_of_seed_and_step_and_are_shared_out(
    volumes: list[ExampleFile],
) -> None:
    batches, again = in_slabs(volumes, 4, 1), in_slabs(volumes, 4, 1)
    assert all(same(batches.at(step), again.at(step)) for step in (3, 0, 5))
    parts = [in_slabs(volumes, 4, 1, share=(part, 2)).at(5) for part in range(2)]
    adjoint = torch.cat([part.measurement.adjoint for part in parts])
    assert torch.equal(adjoint, batches.at(5).measurement.adjoint)


def test_nothing_but_the_slab_is_read(
    volumes: list[ExampleFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[range] = []
    slab = ExampleFile.slab

    def counted(example: ExampleFile, positions: range) -> object:
        read.append(positions)
        return slab(example, positions)

    monkeypatch.setattr(ExampleFile, "slab", counted)
    monkeypatch.setattr(ExampleFile, "__getitem__", lambda *_: pytest.fail("read whole"))
    batch = in_slabs(volumes, 4, 3).at(0)
    assert read == [slab.wide for slab in batch.cores or []]


def test_slab_as_long_as_the_volume_is_the_volume(volumes: list[ExampleFile]) -> None:
    batches = in_slabs(volumes, size=64, margin=3)
    assert batches.steps_per_epoch == 1
    batch = batches.at(0)
    assert batch.target is not None
    assert batch.target.shape == batch.measurement.adjoint.shape == (2, 1, 1, 20, 24, 18)


def test_slabs_of_slices_are_cut_along_their_readout(examples: list[Example]) -> None:
    batches = TrainingBatches(examples[:2], MASK, 2, 0, slabs=Slabs(8, lambda axis: 2))
    assert batches.steps_per_epoch == 2 * 3  # two scans of two slices, three slabs of 24 rows each
    batch, items = batches.at(3), batches._items(3)
    assert batches.shape(3) == batch.measurement.adjoint.shape == (2, 1, 1, 12, 20)
    for i, item in enumerate(items):
        whole = collate([replace(item, slab=None)], MASK)
        assert item.slab is not None
        part = narrow(whole.measurement.adjoint[0], -2, item.slab.wide)
        assert torch.allclose(batch.measurement.adjoint[i], part, atol=1e-6)
        assert whole.target is not None
        assert batch.target is not None
        assert torch.equal(batch.core(batch.target)[i], narrow(whole.target[0], -2, item.slab.core))


@pytest.mark.parametrize("others", [[], [MASK]])
def test_slabs_along_a_readout_that_is_undersampled_are_refused(
    examples: list[Example], others: list[MaskRecipe]
) -> None:
    poisson = MaskRecipe(kind="poisson", acceleration=1.6)
    with pytest.raises(BadInput, match=r"^small-0: mask.kind poisson leaves out samples of its re"):
        TrainingBatches(examples, [*others, poisson], 1, 0, slabs=Slabs(4, lambda axis: 0))


@pytest.mark.parametrize(("asked", "taken"), [(16, 16), (6, 6), (18, 18)])
def test_volumes_to_measure_against_come_in_slabs(
    volumes: list[ExampleFile], asked: int, taken: int
) -> None:
    for batch, example in zip(every_slice(volumes, MASK, slab=asked), volumes, strict=True):
        assert isinstance(batch.measurement, Slabbed)
        assert batch.measurement.size == taken
        assert batch.scans == [example.header.name]
