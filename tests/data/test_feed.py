"""Reading ahead changes nothing: the batches, and their order, are those of `at`."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

import pytest
import torch
from tiny import prepared, tiny_scan

from gleam.data import feed, loader, open_files
from gleam.data.batch import Batch
from gleam.data.collate import Item, Raw, collate, read
from gleam.data.feed import Feed
from gleam.data.loader import TrainingBatches, every_slice
from gleam.errors import BadInput
from gleam.physics.fourier import fft
from gleam.physics.measurement import Measurement
from gleam.physics.prediction import HeldOut
from gleam.physics.sense import Sense
from gleam.recipe import MaskRecipe
from gleam.simulation import simulate_scan

POINTS = MaskRecipe(kind="poisson", acceleration=1.8)  # along the decoded readout, too
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def batches() -> TrainingBatches:
    return TrainingBatches([prepared(tiny_scan(seed=i)) for i in range(3)], POINTS, 2, seed=3)


def assert_same(one: Batch, other: Batch) -> None:
    a, b = one.measurement, other.measurement
    assert isinstance(a, Measurement)
    assert isinstance(b, Measurement)
    assert (one.scans, one.slices, a.axes) == (other.scans, other.slices, b.axes)
    for x, y in [
        (one.target, other.target), (a.adjoint, b.adjoint), (a.sense.maps, b.sense.maps),
        (a.mask, b.mask), (a.noise, b.noise), (a.kspace(), b.kspace()),
    ]:  # fmt: skip
        assert x is not None
        assert y is not None
        assert torch.equal(x, y)


def as_for_a_gpu(raw: object, steps: range) -> Feed:
    """What is done for a GPU, on the CPU: read by several threads, moved, transformed there."""
    made = Feed(raw, steps, CPU)  # type: ignore[arg-type]
    made._batches = made._on_gpu()
    return made


def test_both_orders_give_the_same_batches(
    batches: TrainingBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)

    def raw(step: int, pinned: bool) -> Raw:
        time.sleep(0.01 * (step % 3 == 0))  # so that later ones are ready before
        return batches.raw(step)

    steps = range(2, 9)
    for one, other, step in zip(
        as_for_a_gpu(raw, steps), batches.between(2, 9), steps, strict=True
    ):
        assert_same(one, batches.at(step))
        assert_same(other, batches.at(step))


@pytest.mark.parametrize("shape", [(24, 20), (25, 21)])
def test_together_or_one_by_one_the_numbers_are_the_same(shape: tuple[int, ...]) -> None:
    """The readout, stored decoded, is encoded again for masks that vary along it."""
    example = prepared(tiny_scan(shape, slices=3, coils=5))
    items = [Item(example, index, 5 + index) for index in range(3)]
    together = read(items, POINTS).measure().measurement
    each = [fft(example[item.index].kspace, (-2,)) for item in items]
    assert isinstance(together, Measurement)
    assert torch.equal(together.adjoint, together.sense.adjoint(torch.stack(each)))
    alone = torch.cat([collate([item], POINTS).measurement.kspace() for item in items])
    assert torch.equal(together.kspace(), alone)


def test_what_is_read_is_not_transformed(batches: TrainingBatches) -> None:
    raw = batches.raw(0)
    for item, kspace in zip(raw.items, raw.kspace, strict=True):
        assert torch.equal(kspace, item.example[item.index].kspace)
    moved = raw.to("meta")
    tensors = [moved.maps, moved.mask, moved.noise, moved.target]
    assert {one.device.type for one in tensors if one is not None} == {"meta"}
    assert moved.target is not None
    assert {one.device.type for one in moved.kspace} == {"cpu"}
    predicted = replace(raw, heldout=raw.mask).to("meta")
    assert {one.device.type for one in predicted.kspace} == {"meta"}


def test_maps_that_are_fetched_stay_and_so_does_kspace(batches: TrainingBatches) -> None:
    """As for a GPU, for which `meta` stands."""
    raw = replace(batches.raw(0), fetched=True)
    batch = raw.to("meta").measure()
    measurement = batch.measurement
    assert isinstance(measurement, Measurement)
    assert measurement.adjoint.device.type == measurement.mask.device.type == "meta"
    assert measurement.sense.maps is raw.maps
    again = batch.to("meta").measurement
    assert isinstance(again, Measurement)
    assert again.sense.maps is raw.maps
    predicted = replace(raw, heldout=raw.mask).to("meta")
    assert {one.device.type for one in predicted.kspace} == {"cpu"}


def test_kspace_that_stays_is_predicted_all_the_same(
    batches: TrainingBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few coils at a time go where they are transformed, and back."""
    raw = replace(batches.raw(0), heldout=batches.raw(1).mask, coils_at_once=2)
    here = raw.measure()
    monkeypatch.setattr(Raw, "_is_here", property(lambda raw: False))
    away = replace(raw, fetched=True).measure()
    for one in (here.heldout, away.heldout):
        assert isinstance(one, HeldOut)
        assert one.sense.maps is raw.maps
    assert isinstance(here.heldout, HeldOut)
    assert isinstance(away.heldout, HeldOut)
    assert torch.equal(away.heldout.kspace, here.heldout.kspace)
    assert torch.equal(away.measurement.adjoint, here.measurement.adjoint)


def test_whether_maps_are_fetched_changes_no_batch(batches: TrainingBatches) -> None:
    examples = [prepared(tiny_scan(seed=i)) for i in range(3)]
    others = TrainingBatches(examples, POINTS, 2, seed=3, fetched=True)
    one, other = batches.at(0), others.at(0)
    assert_same(one, other)
    for given, wanted in ((one, False), (other, True)):
        assert isinstance(given.measurement, Measurement)
        assert given.measurement.sense.fetched is wanted
    judged = next(every_slice(examples, POINTS, fetched=True)).measurement
    assert isinstance(judged, Measurement)
    assert judged.sense.fetched


@pytest.mark.parametrize("full", [1, 2**24])
def test_kspace_that_lies_elsewhere_comes_by_a_few_coils(
    batches: TrainingBatches, full: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gleam.physics.sense._FULL", full)
    raw = batches.raw(0)
    sense = Sense(raw.maps, raw.mask, raw.axes)
    found, expected = raw._by_few_coils(sense), raw.measure().measurement.adjoint
    assert torch.allclose(found, expected, atol=1e-6 * float(expected.abs().max()))
    moved = raw.to("meta").measure()
    assert moved.measurement.adjoint.device.type == "meta"
    assert moved.measurement.adjoint.shape == expected.shape


@pytest.mark.parametrize(
    ("gpu", "room", "most"),
    [(False, 9.0, 1), (True, 9.0, 2 + feed.AHEAD), (True, 2.5, 2), (True, 0.1, 1)],
)
def test_so_many_are_read_ahead(
    batches: TrainingBatches, gpu: bool, room: float, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    begun: list[int] = []
    whole = batches.raw(0)
    assert whole.nbytes == 2 * 8 * (2 * 3 + 1) * 24 * 20  # k-space, maps and target of two slices
    monkeypatch.setattr(feed, "ROOM", int(room * whole.nbytes))

    def raw(step: int, pinned: bool) -> Raw:
        assert pinned == gpu
        begun.append(step)
        return whole

    made = as_for_a_gpu(raw, range(20)) if gpu else Feed(raw, range(20), CPU)
    for used in range(3):
        next(made)
        for _ in range(100):
            if len(begun) >= used + 1 + most:
                break
            time.sleep(0.01)
        assert sorted(begun) == list(range(used + 1 + most))
    made.close()
    assert len(begun) < 20
    assert [*made] == []
    assert not open_files._keepers  # files are closed


def test_the_time_waited_is_known(batches: TrainingBatches) -> None:
    whole = batches.raw(0)

    def raw(step: int, pinned: bool) -> Raw:
        time.sleep(0.05 * (step == 1))
        return whole

    made = Feed(raw, range(2), CPU)
    next(made)
    next(made)
    assert made.waited >= 0.03
    assert [*made] == []


@pytest.mark.parametrize("gpu", [False, True])
def test_what_cannot_be_read_is_said_at_its_step(batches: TrainingBatches, gpu: bool) -> None:
    whole = batches.raw(0)

    def raw(step: int, pinned: bool) -> Raw:
        if step == 2:
            raise BadInput("scan.h5: is broken")
        return whole

    made: Iterator[Batch] = as_for_a_gpu(raw, range(9)) if gpu else Feed(raw, range(9), CPU)
    assert len([*islice(made, 2)]) == 2
    with pytest.raises(BadInput, match="is broken"):
        next(made)


def test_no_target_stays_none(batches: TrainingBatches) -> None:
    raw = replace(batches.raw(0), target=None)
    assert raw.to(CPU).measure().target is None


def test_validation_is_fed_ahead_where_a_gpu_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = [prepared(tiny_scan(slices=3, seed=seed, name=f"scan-{seed}")) for seed in range(2)]
    mask = MaskRecipe(acceleration=1.6)
    asked: list[str] = []

    def fed(raw: Callable[[int, bool], Raw], steps: range, device: torch.device) -> Feed:
        asked.append(device.type)
        return as_for_a_gpu(lambda step, _: raw(step, False), steps)

    monkeypatch.setattr(loader, "Feed", fed)
    ahead = every_slice(examples, mask, 2, device="cuda")
    for one, other in zip(ahead, every_slice(examples, mask, 2), strict=True):
        assert_same(one, other)
    assert asked == ["cuda"]
    volume = prepared(simulate_scan((16, 16, 16), 2, 1, 50.0, 0, 1, "volume"))
    (whole,) = every_slice([volume], mask, device="cuda")
    assert asked == ["cuda"]
    assert whole.measurement.adjoint.device == CPU
