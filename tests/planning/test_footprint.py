import gc
import math

import pytest
import torch
from metering import TINY, metered_cost, recipe

from gleam.errors import BadInput
from gleam.planning import footprint as planning
from gleam.planning import step
from gleam.planning.footprint import Footprint, footprint, footprints
from gleam.planning.scans import ScanSize
from gleam.training.meter import metered

CINE, VOLUME = ScanSize((12, 10), 2, 4), ScanSize((12, 10, 8), 2)
INVERTED = {"modules": 1, "storage": "invert"}
THREE = {"dimensions": 3}

CASES = {
    "greedy": (recipe(6, training={"modules": 3}), TINY),
    "uneven": (recipe(5, training={"modules": 2}), TINY),
    "end-to-end": (recipe(10, training={"modules": 1}), TINY),
    "modl": (recipe(4, "modl"), TINY),
    "checkpoint": (recipe(10, training={"modules": 1, "storage": "checkpoint"}), TINY),
    "overlap": (recipe(8, training={"modules": 8, "overlap": 2}), TINY),
    "last": (recipe(3, training={"modules": 3, "overlap": 2, "loss_weights": "last"}), TINY),
    "reversible": (recipe(10, "reversible", training=INVERTED), TINY),
    "coupled": (recipe(9, regulariser={"coupling": True}, training=INVERTED), TINY),
    "coupled modl": (
        recipe(
            3,
            "modl",
            network={"cg_tolerance": 1e-6},
            regulariser={"coupling": True},
            training=INVERTED,
        ),
        TINY,
    ),
    "tolerance": (
        recipe(
            3,
            "modl",
            network={"cg_tolerance": 1e-5, "sets": 2},
            regulariser={"dimensions": 3},
            training={"modules": 1, "storage": "checkpoint"},
        ),
        ScanSize((14, 12), 3, 3),
    ),
    "patch": (recipe(3, network={"patch": [16, 8]}, regulariser={"width": 16}), TINY),
    "patches of a volume": (recipe(3, network={"patch": "auto"}, regulariser=THREE), VOLUME),
    "wide": (recipe(9, regulariser={"width": 32}, training={"modules": 1}), TINY),
    "unet": (recipe(regulariser={"kind": "unet", "blocks": 2}, data={"batch": 2}), TINY),
    "bf16": (recipe(regulariser={"bf16": True}), TINY),
    "inputs": (recipe(network={"sets": 2}, regulariser={"inputs": ["gradient", "change"]}), TINY),
    "ssim": (recipe(training={"loss": "l1+ssim", "modules": 1}), TINY),
    "kspace": (recipe(training={"target": "kspace"}), TINY),
    "frames": (recipe(mask={"kind": "kt-random"}), CINE),
    "cine": (recipe(regulariser=THREE | {"circular": True}, mask={"kind": "kt-random"}), CINE),
    "volume": (recipe(regulariser=THREE, mask={"kind": "poisson"}), VOLUME),
    "slab": (recipe(regulariser=THREE, data={"slab": 2}, mask={"kind": "poisson"}), VOLUME),
    "slices of a volume": (recipe(data={"batch": 2, "slab": 4}), VOLUME),
    "unclipped": (recipe(training={"clip": None, "loss": "l2"}), TINY),
}


@pytest.mark.parametrize(("recipe", "scan"), CASES.values(), ids=CASES)
def test_it_is_what_the_profiler_finds(recipe, scan, cpu):
    cost, found = metered_cost(recipe, scan), footprint(recipe, scan, cpu)
    assert found.parameters + found.optimizer == cost.states
    assert found.metered == pytest.approx(cost.memory, rel=1e-3)


def test_what_waits_in_a_file_does_not_count(cpu, tmp_path):
    training = {"modules": 1, "storage": "offload", "offload_to": tmp_path}
    wide = recipe(3, regulariser={"width": 16}, training=training)
    assert footprint(wide, TINY, cpu).metered == pytest.approx(metered_cost(wide).memory, rel=1e-3)


def test_frozen_iterations_are_weights_and_nothing_else(cpu):
    whole = recipe(3, training={"modules": 3})
    grown = recipe(6, training={"modules": 3, "start": "run", "frozen": 3})
    before, after = (footprint(one, TINY, cpu) for one in (whole, grown))
    assert after.parameters == 2 * before.parameters
    assert after.optimizer == before.optimizer
    assert after.activations == before.activations


def test_a_module_of_many_iterations_is_not_traced_whole(cpu, monkeypatch):
    seen, own = [], step.make_learner

    def make_learner(network, recipe):
        seen.append(len(network.iterations))
        return own(network, recipe)

    monkeypatch.setattr(step, "make_learner", make_learner)
    deep, scan = recipe(200, training={"modules": 1}), ScanSize((14, 10), 3)
    found = footprint(deep, scan, cpu)
    assert max(seen) < 8
    shallow = footprint(deep.changed(network={"iterations": 5}), scan, cpu)
    assert found.activations > 30 * shallow.activations


def test_a_large_volume_takes_no_memory_of_its_own(gpu):
    volume = ScanSize((320, 320, 256), 8)
    deep = recipe(24, regulariser=THREE | {"width": 32}, training={"modules": 12})
    found = footprint(deep, volume, gpu)
    assert found.peak > 30 * 2**30


def test_each_device_of_a_pipeline_holds_its_own_modules(cpu):
    deep = recipe(6, regulariser={"width": 16}, training={"modules": 3})
    alone, parts = footprint(deep, TINY, cpu), footprints(deep, TINY, cpu, 3)
    assert [3 * part.parameters for part in parts] == [alone.parameters] * 3
    assert all(part.activations <= alone.activations for part in parts)
    largest = footprint(deep, TINY, cpu, 3)
    assert largest.devices == tuple(parts)
    assert largest.peak == max(part.peak for part in parts)


def test_overlap_cannot_be_on_several_devices(cpu):
    with pytest.raises(BadInput, match="overlap"):
        footprint(recipe(4, training={"modules": 4, "overlap": 1}), TINY, cpu, 2)


def test_a_gpu_takes_its_context_all_coils_at_once_and_buffers_of_what_is_replayed(cpu, gpu):
    """And its memory comes in pieces."""
    one = recipe(4, "modl", regulariser={"width": 2})
    many = ScanSize((96, 80), 24)
    there, here = footprint(one, many, gpu), footprint(one, many, cpu)
    assert there.overhead > gpu.context
    assert there.activations > here.activations + 24 * 96 * 80 * 8
    eager = footprint(one.changed(training={"graph": "never"}), many, gpu)
    assert there.data > 2 * eager.data
    assert here.data > 2 * eager.data  # the next one is made meanwhile


def test_a_gpu_takes_the_coils_of_a_volume_by_a_few(cpu, gpu, monkeypatch):
    """So k-space of all of them is never held: however many there are, it takes no more."""
    one = recipe(2, "modl", regulariser={"width": 2, "dimensions": 3},
                 mask={"kind": "poisson"}, training={"graph": "never"})  # fmt: skip

    def activations(coils):
        return footprint(one, ScanSize((128, 128, 160), coils), gpu).activations

    assert activations(32) == pytest.approx(activations(16), rel=0.01)
    few = activations(32)  # which is remembered
    monkeypatch.setattr("gleam.physics.sense._FULL", 2**40)
    assert activations(31) > few + 20 * 128 * 128 * 160 * 8


def test_offloading_to_the_host_frees_a_gpu(gpu):
    wide = recipe(4, regulariser={"width": 16}, training={"modules": 1})
    kept = footprint(wide, TINY, gpu)
    offloaded = footprint(wide.changed(training={"storage": "offload"}), TINY, gpu)
    assert offloaded.activations < 0.7 * kept.activations


def test_it_says_its_parts_in_one_line():
    found = Footprint(2**20, 2**21, 0, 2**30, 0)
    assert str(found) == "1 GiB: parameters 1 MiB, gradients 2 MiB, activations 1 GiB"
    assert found.metered == found.peak == 2**20 + 2**21 + 2**30


def test_nothing_that_is_traced_stays_traced(cpu):
    footprint(recipe(), TINY, cpu)
    assert type(torch.zeros(2)) is torch.Tensor


def test_idle_modules_take_nothing_of_a_gpu_but_the_next_one(cpu, gpu):
    deep = recipe(8, training={"modules": 8})
    resting = deep.changed(training={"idle": "host"})
    whole, part = (footprint(one, TINY, gpu) for one in (deep, resting))
    assert 4 * part.parameters == whole.parameters
    assert 4 * part.optimizer == whole.optimizer
    assert part.activations == whole.activations
    assert footprint(resting, TINY, cpu).parameters == footprint(deep, TINY, cpu).parameters


def test_what_was_recomputed_is_gone_without_a_garbage_collector():
    """Of further iterations an image is kept, and the gradients of their weights."""

    def tolerant(n):
        network = {"cg_tolerance": 1e-3}
        training = {"modules": 1, "storage": "checkpoint"}
        return recipe(n, "modl", network=network, regulariser={"width": 16}, training=training)

    gc.disable()
    try:
        few, many = (metered_cost(tolerant(n)) for n in (3, 6))
    finally:
        gc.enable()
    image = math.prod(TINY.space) * 8
    assert many.step - few.step < 3 * image + (many.states - few.states) / 3 + image


def test_of_several_masks_the_one_that_takes_most_is_planned_for(cpu):
    one = recipe()
    several = one.changed(mask=[{"kind": "equispaced"}, {"kind": "poisson"}])
    points = one.changed(mask={"kind": "poisson"})
    assert TINY.axes(several) == TINY.axes(points) != TINY.axes(one)
    assert footprint(several, TINY, cpu) == footprint(points, TINY, cpu)
    with pytest.raises(BadInput, match="kt-golden is for series"):
        TINY.check(one.changed(mask=[{"kind": "equispaced"}, {"kind": "kt-golden"}]))


def test_a_trace_takes_no_memory_for_weights_nor_for_what_optimizers_remember(gpu):
    """Fused updates have no result of their own, so they are not made up of real numbers."""
    large = recipe(2, regulariser={"width": 512, "blocks": 2})
    found, peak = metered(lambda: footprint(large, TINY, gpu), torch.device("cpu"))
    assert found.parameters + found.optimizer > 100 * 2**20
    assert peak < 2**20


def test_how_long_it_is_trained_changes_nothing_that_is_traced(cpu, monkeypatch):
    footprint(recipe(4, training={"modules": 2}), TINY, cpu)
    monkeypatch.setattr(planning, "traced_step", None)
    for training in ({"minutes": 5}, {"steps": 7}, {"graph": "never"}):
        footprint(recipe(4, training={"modules": 2} | training), TINY, cpu)
