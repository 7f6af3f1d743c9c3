import pytest
import torch
from metering import TINY, recipe

from benchmarks.planner import batch_of
from gleam.data.loader import SLAB
from gleam.networks import build
from gleam.physics.slabs import Slabbed
from gleam.planning import validation as module
from gleam.planning.footprint import Footprint, footprint
from gleam.planning.scans import ScanSize, tensors_of
from gleam.planning.trace import bytes_of
from gleam.planning.validation import validation
from gleam.runs.assembly import make_learner
from gleam.training.meter import metered

VOLUME = ScanSize((20, 10, 8), 2)


def one(tmp_path, *arguments, **parts):
    data = {"validation": tmp_path} | parts.pop("data", {})
    return recipe(*arguments, data=data, **parts)


@pytest.mark.parametrize("family", ["pgd", "modl", "reversible"])
@pytest.mark.parametrize("target", ["image", "kspace"])
def test_it_is_what_the_profiler_finds(family, target, cpu, tmp_path):
    training = {"target": target, "modules": 5, "holdout": {"splits": 1}}  # validation has one
    said = one(tmp_path, 5, family, data={"batch": 2}, training=training)
    splits = said.changed(training={"holdout": {"splits": 3}})
    network = build(said.network)
    learner, batch = make_learner(network, said), batch_of(said, TINY, network)
    _, peak = metered(lambda: learner.validate([batch]), torch.device("cpu"))
    there = bytes_of(tensors_of(batch))
    assert validation(said, TINY, cpu) == pytest.approx(peak + there, rel=0.03)
    assert validation(splits, TINY, cpu) == validation(said, TINY, cpu)


def test_volumes_are_validated_in_slabs(cpu, tmp_path):
    said = one(tmp_path, 4, regulariser={"dimensions": 3}, data={"slab": 2},
               mask={"kind": "poisson"})  # fmt: skip
    network = build(said.network)
    learner = make_learner(network, said)
    batch = batch_of(said.changed(data={"slab": None}), VOLUME, network)
    whole = batch.measurement
    maps, first = whole.sense.maps, VOLUME.first

    def read(positions):
        return maps.narrow(first, positions.start, len(positions)).clone()

    slabs = Slabbed(read, whole.mask, whole.axes, first, SLAB, whole.adjoint, whole.noise)
    object.__setattr__(batch, "measurement", slabs)
    _, peak = metered(lambda: learner.validate([batch]), torch.device("cpu"))
    there = sum(t.nbytes for t in (whole.mask, whole.adjoint, whole.noise, batch.target))
    found = validation(said, VOLUME, cpu)
    assert found == pytest.approx(peak + there, rel=0.03)
    assert (
        footprint(said, VOLUME, cpu).peak
        > footprint(said.changed(data={"validation": None}), VOLUME, cpu).peak
    )  # it learns from slabs of 2


def test_few_slabs_stand_for_all_of_a_volume(cpu, tmp_path, monkeypatch):
    said = one(tmp_path, regulariser={"dimensions": 3},
               mask={"kind": "poisson"})  # fmt: skip
    long, seen = ScanSize((6 * SLAB + 5, 6, 8), 3), []
    whole = max(module._traced(said, long, cpu, SLAB).values())
    traced = module._traced
    monkeypatch.setattr(
        module, "_traced", lambda *given: seen.append(given[1].space[0]) or traced(*given)
    )
    assert validation(said, long, cpu) == pytest.approx(whole, rel=1e-6)
    assert seen == [4 * SLAB, 5 * SLAB]


def test_maps_that_a_gpu_fetches_are_not_there_in_validation_either(gpu, tmp_path, monkeypatch):
    monkeypatch.setattr("gleam.physics.sense._FULL", 1)
    said, slices = one(tmp_path), ScanSize((192, 160), 16)
    fetched = said.changed(training={"maps": "host"})
    there, less = (validation(each, slices, gpu) for each in (said, fetched))
    assert there - less > 0.9 * 8 * slices.size


def test_without_validation_there_is_none(cpu):
    assert validation(recipe(), TINY, cpu) == 0


def test_the_larger_of_step_and_validation_counts():
    step = Footprint(1, 2, 3, 4, 5, data=6, overhead=7)
    assert step.peak == 28
    assert Footprint(1, 2, 3, 4, 5, 6, 7, validation=11).peak == 28
    larger = Footprint(1, 2, 3, 4, 5, 6, 7, validation=21)
    assert larger.peak == 38
    assert "that of a validation" in str(larger)
    assert "validation" not in str(step)
