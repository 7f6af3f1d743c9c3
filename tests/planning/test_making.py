"""Memory that making a batch takes, of which no step knows."""

import math

import pytest
import torch
from metering import TINY, recipe

from gleam.data.collate import read
from gleam.networks import build
from gleam.planning import hollow
from gleam.planning import making as module
from gleam.planning.footprint import Footprint, footprint
from gleam.planning.making import making
from gleam.planning.scans import ScanSize, tensors_of
from gleam.planning.trace import bytes_of
from gleam.training.meter import metered

VOLUME, CINE = ScanSize((12, 14, 10), 4), ScanSize((12, 10), 3, 4)
POINTS = {"kind": "poisson"}
CASES = {
    "slice": (recipe(data={"batch": 3}), TINY),
    "along the readout, too": (recipe(mask=POINTS, network={"sets": 2}), TINY),
    "cine": (recipe(mask={"kind": "kt-random"}), CINE),
    "volume": (recipe(mask=POINTS), VOLUME),
    "lines of a volume": (recipe(), VOLUME),
    "slabs": (recipe(mask=POINTS, data={"batch": 2, "slab": 4}), VOLUME),
    "kspace": (recipe(training={"target": "kspace"}), TINY),
    "kspace of slabs": (recipe(data={"slab": 4}, training={"target": "kspace"}), VOLUME),
}


def filled(mode, *shape):
    return torch.zeros(shape, dtype=torch.complex64)


@pytest.mark.parametrize(("recipe", "scan"), CASES.values(), ids=CASES)
def test_it_is_what_the_profiler_finds(recipe, scan, cpu, monkeypatch):
    slab = scan.slab(recipe, build(recipe.network))
    found, items = making(recipe, scan, cpu, slab), []
    monkeypatch.setattr(hollow, "empty", filled)
    monkeypatch.setattr(
        module, "read", lambda given, mask: items.extend(given) or read(given, mask)
    )
    module._made.cache_clear()
    assert making(recipe, scan, cpu, slab) == found
    module._made.cache_clear()
    batch, peak = metered(lambda: read(items, None).measure(), torch.device("cpu"))
    assert found == pytest.approx(peak, rel=0.01)
    said = scan.batch(recipe, slab, scan.coils, 0)
    shapes = [(one.shape, one.dtype) for one in tensors_of(batch)]
    assert shapes == [(one.shape, one.dtype) for one in tensors_of(said)]
    assert bytes_of(tensors_of(batch)) == bytes_of(tensors_of(said))


def test_a_gpu_has_few_coils_of_kspace_at_a_time(gpu):
    one = recipe(regulariser={"dimensions": 3}, mask=POINTS, training={"graph": "never"})
    volume = (128, 128, 160)
    few, more = (footprint(one, ScanSize(volume, coils), gpu).making for coils in (16, 32))
    together = 2**24 // math.prod(volume) * math.prod(volume) * 8
    assert more == pytest.approx(few, abs=2**25)
    assert 3 * together < few < 4 * together


def test_kspace_that_is_predicted_lies_on_a_gpu_as_a_whole(gpu, monkeypatch):
    monkeypatch.setattr("gleam.physics.sense._FULL", 1)
    scan = ScanSize((32, 64, 64), 16)
    images, kspace = (
        making(recipe(training={"target": target}), scan, gpu, None)
        for target in ("image", "kspace")
    )
    assert kspace > images + 8 * scan.size


def test_what_a_step_takes_is_not_taken_while_a_batch_is_made(gpu):
    wide, narrow = (
        footprint(recipe(regulariser={"width": width, "blocks": 2}), ScanSize((96, 80), 24), gpu)
        for width in (256, 1)
    )
    for one in (wide, narrow):
        assert one.making > 3 * 24 * 96 * 80 * 8
    assert wide.peak == wide.metered + wide.data + wide.overhead
    lies_there = narrow.parameters + narrow.optimizer + narrow.data + narrow.overhead
    assert narrow.peak == lies_there + narrow.making
    assert "while a batch is made" in str(narrow)
    assert "while a batch is made" not in str(wide)


def test_the_larger_of_step_validation_and_making_counts():
    assert Footprint(1, 2, 3, 4, 5, data=6, overhead=7, validation=12, making=21).peak == 38
    assert Footprint(1, 2, 3, 4, 5, data=6, overhead=7, validation=21, making=12).peak == 38
    assert "of a validation" in str(Footprint(1, 2, 3, 4, 5, validation=21, making=12))
