from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tiny import largest_error, prepared, tiny_scan
from torch import Tensor
from toys import toy_measurement, toy_network, toy_sense

from gleam.arrays import narrow
from gleam.data.collate import Item, collate
from gleam.data.example import ExampleFile, write
from gleam.data.volume import collate_volume
from gleam.networks import Unrolled
from gleam.physics.baselines import cg_sense, zero_filled
from gleam.physics.measurement import Measured, Measurement
from gleam.physics.slabs import Slabbed, widened
from gleam.recipe import MaskRecipe
from gleam.reconstruction.reconstructor import Trained
from gleam.training.meter import metered


def slabbed(whole: Measurement, axis: int, size: int) -> Slabbed:
    def maps(positions: range) -> Tensor:
        return narrow(whole.sense.maps, axis, positions)

    return Slabbed(maps, whole.mask, whole.axes, axis, size, whole.adjoint, whole.noise)


def volume(axis: int = -3, length: int = 23, sets: int = 1, frames: int = 1) -> Measurement:
    """A small volume that is sampled in part along the two axes that are not its readout."""
    space, axes = [9, 8], [-3, -2, -1]
    space.insert(axis + 3, length)
    axes.remove(axis)
    sense = toy_sense(tuple(space), tuple(axes), batch=1, sets=sets, frames=frames)
    return toy_measurement(sense, frames)[0]


NETWORKS = {
    "pgd": {"family": "pgd"},
    "pgd, slice by slice": {"family": "pgd", "dimensions": 2},
    "gradient and change shown": {"family": "pgd", "inputs": ("gradient", "change")},
    "wide kernels": {"family": "pgd", "kernel": 5},
    "reversible": {"family": "reversible"},
    "modl": {"family": "modl"},
    "modl, gradient and change shown": {"family": "modl", "inputs": ("gradient", "change")},
    "modl to a tolerance": {"family": "modl", "cg_tolerance": 1e-5},
    "coupled": {"family": "pgd", "coupling": True},
    "from another image": {"family": "pgd", "first_image": "cg-sense"},
    "unet": {"family": "pgd", "kind": "unet", "levels": 2},
}


def toy(kind: str) -> Unrolled:
    return toy_network(**{"dimensions": 3, "iterations": 3} | NETWORKS[kind])


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("axis", [-3, -2, -1])
@torch.no_grad()
def test_slab_by_slab_is_the_whole_volume_after_every_iteration(kind: str, axis: int) -> None:
    network, whole = toy(kind), volume(axis)
    for size in (5, 23, 40):
        parts = network.iterates(slabbed(whole, axis, size))
        for image, expected in zip(parts, network.iterates(whole), strict=True):
            assert largest_error(image.numpy(), expected.numpy()) < 1e-5


@torch.no_grad()
def test_two_sets_and_frames_too() -> None:
    network = toy_network("pgd", dimensions=3, sets=2, iterations=2)
    whole = volume(sets=2, frames=2)
    image, expected = network(slabbed(whole, -3, 4)), network(whole)
    assert largest_error(image.numpy(), expected.numpy()) < 1e-5


@torch.no_grad()
def test_less_than_the_reach_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the margin is no longer than it has to be, and the test above can fail."""
    network, whole = toy("pgd"), volume()
    reach = network.reach(-3)
    monkeypatch.setattr(Unrolled, "reach", lambda *_: reach - 1)
    image, expected = network(slabbed(whole, -3, 5)), network(whole)
    assert largest_error(image.numpy(), expected.numpy()) > 1e-4


def test_slabs_start_where_a_network_that_pools_needs_it() -> None:
    for core in (range(5), range(5, 10), range(20, 23)):
        wide = widened(core, 3, 4, 23)
        assert wide.start % 4 == 0
        assert wide.stop % 4 == 0 or wide.stop == 23
        assert wide.start <= max(0, core.start - 3)
        assert wide.stop >= min(23, core.stop + 3)
    assert widened(range(5, 10), 2, 1, 23) == range(3, 12)


@pytest.mark.parametrize("kind", ["pgd", "modl", "reversible"])
@torch.no_grad()
def test_no_more_than_one_slab_of_activations_is_held(kind: str) -> None:
    """A volume that is longer costs its images, not what a network computes on the way."""

    def peak(run: Callable[[Measured], object], whole: Measured) -> int:
        return metered(lambda: run(whole), torch.device("cpu"))[1]

    network = toy(kind)
    short, long = volume(length=40), volume(length=120)
    images = long.adjoint.nbytes - short.adjoint.nbytes
    carried = network.state.images
    in_slabs = [peak(network, slabbed(one, -3, 8)) for one in (short, long)]
    # The state before and after an iteration, what its image is made of, and the image.
    assert in_slabs[1] - in_slabs[0] < (3 * carried + 1) * images
    at_once = [peak(network, one) for one in (short, long)]
    assert at_once[1] - at_once[0] > 2 * (in_slabs[1] - in_slabs[0])


@torch.no_grad()
def test_baselines_and_early_exit_take_slabs() -> None:
    whole = volume()
    parts = slabbed(whole, -3, 5)
    assert torch.equal(zero_filled(parts), whole.adjoint)
    assert largest_error(cg_sense(parts).numpy(), cg_sense(whole).numpy()) < 1e-5
    network = toy("pgd")
    early = Trained("early", network, [1, 1, 1], iterations=2)
    expected = list(network.iterates(whole))[1]
    assert largest_error(early(parts).numpy(), expected.numpy()) < 1e-5


@pytest.mark.parametrize("mask", [None, MaskRecipe(kind="poisson", acceleration=2)])
def test_an_example_is_undersampled_slab_by_slab(mask: MaskRecipe | None, tmp_path: object) -> None:
    path = tmp_path / "scan.h5"  # type: ignore[operator]
    write(prepared(tiny_scan((18, 24, 20), 1, coils=4), calibration=6), path)
    item = Item(ExampleFile(path), 0, seed=3)
    whole, parts = collate([item], mask), collate_volume(item, mask, 5)
    assert isinstance(parts.measurement, Slabbed)
    assert (parts.scans, parts.slices, parts.matrix) == (whole.scans, whole.slices, whole.matrix)
    assert torch.equal(parts.measurement.mask, whole.measurement.mask)
    assert torch.equal(parts.target, whole.target)
    adjoint = parts.measurement.adjoint
    assert largest_error(adjoint.numpy(), whole.measurement.adjoint.numpy()) < 1e-6
    part = parts.measurement.part(range(4, 9))
    assert torch.equal(part.sense.maps, narrow(whole.measurement.sense.maps, -3, range(4, 9)))
    moved = replace(parts).to("cpu").measurement
    assert torch.equal(moved.adjoint, adjoint)
