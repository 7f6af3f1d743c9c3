"""Batches whose target is k-space: samples that the measurement leaves out."""

from dataclasses import replace

import pytest
import torch
from tiny import every_second_line, prepared, tiny_scan, undersampled

from gleam.arrays import narrow
from gleam.data.batch import Batch
from gleam.data.collate import Item, collate
from gleam.data.example import Example, find, write
from gleam.data.goal import Goal
from gleam.data.holdout import Split, check_split
from gleam.data.loader import Slabs, TrainingBatches, check, every_slice
from gleam.data.masks import sampling
from gleam.data.volume import collate_volume
from gleam.errors import BadInput
from gleam.physics.prediction import HeldOut
from gleam.physics.slabs import Slabbed
from gleam.recipe import HoldoutRecipe, MaskRecipe

MASK = MaskRecipe(acceleration=1.6)
PATTERNS = ("lines", "segments", "samples", "mixed")


def goal(pattern: str = "lines", target: str = "kspace", splits: int = 1) -> Goal:
    return Goal(target, HoldoutRecipe(pattern=pattern, splits=splits))


@pytest.fixture(scope="module")
def complete() -> Example:
    return prepared(tiny_scan(slices=2, name="complete"), calibration=6)


@pytest.fixture(scope="module")
def scanned() -> Example:
    """Undersampled by the scanner."""
    scan = undersampled(tiny_scan(slices=2, name="scanned", oversampling=1), every_second_line())
    return prepared(scan, calibration=6)


def spread(mask: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return mask.expand(len(like), 1, *like.shape[2:]) > 0


def test_a_mixture_holds_out_by_another_pattern_in_each_step(complete: Example) -> None:
    mixed, sampled = HoldoutRecipe(pattern="mixed", guard=0.0), sampling(complete, 1, MASK)
    for seed, pattern in enumerate(PATTERNS[:3] * 2):
        own = Split(mixed.changed(pattern=pattern), seed)(complete, sampled, [-1])
        for mask, same in zip(Split(mixed, seed)(complete, sampled, [-1]), own, strict=True):
            assert mask.equal(same)
    guard, lines = (
        next(every_slice([complete], MASK, goal=goal(pattern))) for pattern in ("mixed", "lines")
    )
    assert isinstance(guard.heldout, HeldOut)
    assert isinstance(lines.heldout, HeldOut)
    assert guard.heldout.sense.mask.equal(lines.heldout.sense.mask)


def test_of_few_lines_a_mixture_holds_out_none_whole(complete: Example) -> None:
    few = sampling(complete, 1, MaskRecipe(acceleration=2))
    mixed = HoldoutRecipe(pattern="mixed")
    check_split(complete, few, mixed)
    for seed, pattern in [(None, "segments"), (0, "segments"), (2, "segments")]:
        own = Split(mixed.changed(pattern=pattern), seed)(complete, few, [-1])
        for mask, same in zip(Split(mixed, seed)(complete, few, [-1]), own, strict=True):
            assert mask.equal(same)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("name", ["complete", "scanned"])
def test_what_is_given_what_is_predicted_and_the_guard_are_apart(
    name: str, pattern: str, request: pytest.FixtureRequest
) -> None:
    example: Example = request.getfixturevalue(name)
    (guard, *_) = every_slice([example], MASK, goal=goal(pattern))
    assert isinstance(guard.heldout, HeldOut)
    kspace = guard.heldout.kspace
    whole = collate(TrainingBatches([example], MASK, 1, 0)._items(0), None).measurement
    batches = TrainingBatches([example], MASK, 1, seed=3, goal=goal(pattern))
    unseen = spread(guard.heldout.sense.mask, kspace)
    assert unseen.any()
    drawn = []
    for step in range(4):
        batch = batches.at(step)
        assert batch.target is None
        assert isinstance(batch.heldout, HeldOut)
        assert batch.heldout.sense.axes == batch.measurement.axes == (-1,)
        given = spread(batch.measurement.mask, kspace)
        predicted = spread(batch.heldout.sense.mask, kspace)
        assert predicted.any()
        assert not (given & predicted).any()
        assert not ((given | predicted) & unseen).any()
        # One mask for a scan, whatever the step: together they are what was sampled.
        seen = given | predicted | unseen
        assert torch.equal(seen, spread(guard.measurement.mask, kspace) | unseen)
        assert (spread(whole.mask, kspace) >= seen).all()
        drawn.append(predicted)
    assert any(not torch.equal(drawn[0], other) for other in drawn[1:])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_splits_of_a_step_hold_out_different_samples(complete: Example, pattern: str) -> None:
    one = TrainingBatches([complete], MASK, 2, seed=3, goal=goal(pattern)).at(1)
    several = TrainingBatches([complete], MASK, 2, seed=3, goal=goal(pattern, splits=3))
    batch, items = several.at(1), several._items(1)
    assert several.shape(1)[0] == len(batch.scans) == len(items) == 6
    assert [item.index for item in items] == [i for i in batch.slices[::3] for _ in range(3)]
    assert isinstance(batch.heldout, HeldOut)
    assert isinstance(one.heldout, HeldOut)
    assert one.slices == batch.slices[::3]
    held, given = (
        spread(mask, batch.heldout.kspace)
        for mask in (batch.heldout.sense.mask, batch.measurement.mask)
    )
    assert held[::3].equal(spread(one.heldout.sense.mask, one.heldout.kspace))
    for first in (0, 3):
        own = held[first : first + 3]
        assert own.flatten(1).any(1).all()
        assert own.sum(0).max() == 1
        whole = own | given[first : first + 3]
        assert (whole == whole[:1]).all()
        # A share of 0.3 by three leaves little that is never predicted.
        outside = whole[0] & ~given[first : first + 3].all(0)
        assert own.any(0).equal(outside)


def test_the_splits_of_a_slice_read_it_once(
    complete: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, read = list[int](), Item.read
    monkeypatch.setattr(Item, "read", lambda item: seen.append(item.index) or read(item))
    batch = TrainingBatches([complete], MASK, 2, seed=3, goal=goal(splits=3)).at(1)
    assert len(batch.slices) == 6
    assert sorted(seen) == sorted({*batch.slices})


def test_replicas_have_whole_slices_with_all_their_splits(complete: Example) -> None:
    def batches(*share: int) -> TrainingBatches:
        return TrainingBatches([complete], MASK, 2, 3, tuple(share), goal=goal(splits=2))

    parts = [batches(i, 2).at(1) for i in range(2)]
    assert [part.slices for part in parts] == [[one] * 2 for one in batches(0, 1).at(1).slices[::2]]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_samples_are_those_of_the_scan(complete: Example, pattern: str) -> None:
    """The image of all samples predicts those that are held out, up to noise and maps' errors."""
    batches = TrainingBatches([complete], MASK, 1, seed=3, goal=goal(pattern))
    item = batches._items(0)[0]
    batch = batches.at(0)
    target = complete[item.index].target
    assert target is not None
    assert isinstance(batch.heldout, HeldOut)
    assert batch.heldout.error(target[None]) < 0.4 * batch.heldout.energy()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_slab_has_the_samples_of_its_core(complete: Example, pattern: str) -> None:
    slabs = Slabs(8, lambda axis: 3)
    batches = TrainingBatches([complete], MASK, 2, seed=3, slabs=slabs, goal=goal(pattern))
    batch, items = batches.at(1), batches._items(1)
    assert isinstance(batch.heldout, HeldOut)
    for i, item in enumerate(items):
        whole = collate([replace(item, slab=None)], MASK)
        assert isinstance(whole.heldout, HeldOut)
        assert item.slab is not None
        expected = whole.heldout.part(-2, item.slab.core)
        torch.testing.assert_close(batch.heldout.kspace[i : i + 1], expected.kspace)
        torch.testing.assert_close(batch.heldout.sense.maps[i : i + 1], expected.sense.maps)
        assert torch.equal(
            spread(batch.heldout.sense.mask[i : i + 1], expected.kspace),
            spread(expected.sense.mask, expected.kspace),
        )
        part = narrow(whole.measurement.adjoint[0], -2, item.slab.wide)
        torch.testing.assert_close(batch.measurement.adjoint[i], part)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_volume_in_slabs_has_the_samples_of_the_volume(tmp_path, pattern: str) -> None:
    write(prepared(tiny_scan((40, 16, 16), 1, name="volume"), calibration=4), tmp_path / "v.h5")
    (example,) = find(tmp_path)
    (batch,) = every_slice([example], MASK, goal=goal(pattern), slab=16)
    item = replace(TrainingBatches([example], MASK, 1, 0)._items(0)[0])
    (whole,) = _whole(example, pattern)
    image = torch.randn_like(batch.measurement.adjoint)
    assert batch.heldout is not None
    assert whole.heldout is not None
    torch.testing.assert_close(batch.heldout.error(image), whole.heldout.error(image))
    torch.testing.assert_close(batch.heldout.energy(), whole.heldout.energy())
    torch.testing.assert_close(batch.measurement.adjoint, whole.measurement.adjoint)
    assert isinstance(batch.measurement, Slabbed)
    rows = range(5, 12)
    part, expected = batch.measurement.part(rows), whole.measurement.sense.normal(image)
    inside = narrow(image, -3, rows)
    torch.testing.assert_close(part.sense.normal(inside), narrow(expected, -3, rows))
    assert collate_volume(item, MASK, 8).heldout is None


def _whole(example: Example, pattern: str) -> list[Batch]:
    """The same as one item that is no slab."""
    from gleam.data.collate import Item
    from gleam.data.holdout import Split
    from gleam.data.masks import mask_seed

    split = Split(HoldoutRecipe(pattern=pattern))
    return [collate([Item(example, 0, mask_seed("volume"), split=split)], MASK)]


def test_mixed_targets_never_share_a_batch(complete: Example, scanned: Example) -> None:
    batches = TrainingBatches([complete, scanned], MASK, 2, 0, goal=goal(target="mixed"))
    seen = set()
    for step in range(batches.steps_per_epoch):
        batch = batches.at(step)
        assert (batch.target is None) != (batch.heldout is None)
        assert len(set(batch.scans)) == 1
        seen.add((batch.scans[0], batch.heldout is None))
    assert seen == {("complete", True), ("scanned", False)}


def test_a_scan_of_nothing_but_its_centre_is_refused(complete: Example) -> None:
    whole = prepared(tiny_scan((24, 20), name="centre"), calibration=20)
    check([complete], MASK, goal())
    with pytest.raises(BadInput, match=r"^centre: has too few samples outside its calibration"):
        check([whole], MaskRecipe(acceleration=1), goal())


def test_without_a_target_the_image_cannot_be_learnt(scanned: Example) -> None:
    check([scanned], MASK, goal())
    with pytest.raises(BadInput, match=r"^scanned: was undersampled .* training.target: kspace$"):
        check([scanned], MASK)
