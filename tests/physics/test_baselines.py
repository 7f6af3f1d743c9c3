from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from toys import EACH_SHAPE, cut, toy_image, toy_measurement, toy_sense

from gleam.arrays import Image, narrow
from gleam.physics.baselines import cg_sense, sliding_window, zero_filled
from gleam.physics.measurement import Measured, Measurement
from gleam.physics.sense import Sense
from gleam.physics.slabs import Slabbed
from gleam.physics.slices import AsSlices


def solved(sense: Sense, adjoint: Image, weight: float) -> Image:
    """(AᴴA + weight) x = Aᴴy by a dense solve, A one column at a time, in double precision."""
    batch, *shape = adjoint.shape
    columns = torch.eye(adjoint[0].numel(), dtype=torch.complex64)
    images = []
    for one in range(batch):
        mask = sense.mask[one : one + 1] if len(sense.mask) > 1 else sense.mask
        alone = Sense(sense.maps[one : one + 1], mask, sense.axes)
        forward = torch.stack([alone.forward(c.reshape(1, *shape)).flatten() for c in columns], 1)
        forward = forward.to(torch.complex128)
        normal = forward.mH @ forward + weight * columns.to(torch.complex128)
        image = torch.linalg.solve(normal, adjoint[one].flatten().to(torch.complex128))
        images.append(image.reshape(shape).to(torch.complex64))
    return torch.stack(images)


@EACH_SHAPE
def test_cg_sense_is_the_dense_solution(shape: dict[str, Any]) -> None:
    measurement, _ = toy_measurement(toy_sense(**shape, coils=4), shape.get("frames", 1))
    expected = solved(measurement.sense, 1.05 * measurement.adjoint, 0.05)
    error = cg_sense(measurement, weight=0.05, steps=100) - expected
    assert error.norm() < 1e-3 * expected.norm()


def test_cg_sense_of_a_slab_is_cut_from_that_of_the_volume() -> None:
    for axes, axis in (((-2, -1), -3), ((-3, -2), -1)):
        measurement, _ = toy_measurement(toy_sense((14, 16, 18), axes, coils=4))
        volume = cg_sense(measurement)
        slab = cg_sense(cut(measurement, axis, 5, 4))
        assert (volume.narrow(axis, 5, 4) - slab).abs().max() < 1e-5 * volume.abs().max()


def test_cg_sense_unfolds_what_zero_filling_cannot() -> None:
    sense = toy_sense((12, 12), coils=6)
    image = toy_image(sense)
    measurement = Measurement.of(sense, sense.forward(image))
    assert (cg_sense(measurement) - image).norm() < 0.5 * (zero_filled(measurement) - image).norm()


@pytest.mark.parametrize("method", [cg_sense, sliding_window])
@EACH_SHAPE
def test_what_was_sampled_in_full_comes_back(
    method: Callable[[Measurement], Image], shape: dict[str, Any]
) -> None:
    """As bright as it was: the penalty takes nothing from it."""
    sense = toy_sense(**shape, coils=4)
    sense = replace(sense, mask=torch.ones_like(sense.mask))
    image = toy_image(sense, shape.get("frames", 1))
    found = method(Measurement.of(sense, sense.forward(image)))
    assert (found - image).norm() < 1e-3 * image.norm()


def test_zero_filling_is_the_adjoint() -> None:
    measurement, _ = toy_measurement(toy_sense())
    assert zero_filled(measurement) is measurement.adjoint


def interleaved(frames: int, every: int, one_mask: bool = False) -> Sense:
    """Frame f has the lines f, f + every, …; with `one_mask`, all frames have those of frame 0."""
    sense = toy_sense((12, 12), coils=6)
    frame = torch.zeros(frames, 1).long() if one_mask else torch.arange(frames)[:, None]
    lines = (torch.arange(12) - frame) % every == 0
    return replace(sense, mask=lines[None, None, :, None])


@pytest.mark.parametrize("sets", [1, 2])
def test_sliding_window_is_the_dense_solution_of_every_window(sets: int) -> None:
    frames, every = 5, 3
    sense = replace(toy_sense((4, 6), sets=sets), mask=interleaved(frames, every).mask[..., :6])
    measurement, _ = toy_measurement(sense, frames)
    found = sliding_window(measurement, weight=0.05, steps=100)
    for frame, window in enumerate([(0, 3), (0, 3), (1, 4), (2, 5), (2, 5)]):
        within = range(*window)
        stacked = [replace(sense, mask=sense.mask[:, :, t : t + 1]) for t in within]
        adjoint = measurement.adjoint[:, :, slice(*window)].sum(2, keepdim=True)
        basis = torch.eye(adjoint[0].numel(), dtype=torch.complex64)
        for one in range(2):
            columns = basis.reshape(-1, 1, *adjoint.shape[1:]).expand(-1, 2, *adjoint.shape[1:])
            normal = torch.stack(
                [sum(s.normal(column)[one].flatten() for s in stacked) for column in columns], 1
            )
            mask = torch.cat([s.mask for s in stacked], 2)
            times = mask[one % len(mask), 0, :, 0, 0].sum().clamp(min=1)  # at the zero frequency
            pulled = (1 + 0.05 / times) * adjoint[one].flatten()
            expected = torch.linalg.solve(normal + 0.05 * basis, pulled)
            error = found[one, :, frame].flatten() - expected
            assert error.norm() < 1e-3 * expected.norm()


def test_sliding_window_needs_frames_that_see_different_things() -> None:
    def error(sense: Sense, method: Callable[[Measurement], Image]) -> float:
        still = toy_image(sense).expand(-1, -1, 8, -1, -1)
        found = method(Measurement.of(sense, sense.forward(still)))
        return float((found - still).norm() / still.norm())

    found = error(interleaved(8, 4), sliding_window)
    assert found < 0.5 * error(interleaved(8, 4, one_mask=True), sliding_window)
    assert found < 0.2 * error(interleaved(8, 4), cg_sense)


def test_window_follows_what_moves() -> None:
    sense = interleaved(24, 2)
    moving = toy_image(sense, 24).cumsum(2)
    measurement = Measurement.of(sense, sense.forward(moving))

    def error(image: Image) -> float:
        return float((image - moving).norm())

    average = sliding_window(measurement).mean(2, keepdim=True).expand_as(moving)
    assert error(sliding_window(measurement)) < 0.5 * error(average)


def test_window_over_one_frame_is_cg_sense() -> None:
    measurement, _ = toy_measurement(toy_sense((10, 9)))
    assert torch.allclose(sliding_window(measurement), cg_sense(measurement), atol=1e-6)


def test_window_of_an_example_does_not_depend_on_its_neighbours() -> None:
    """They may have been sampled more densely."""
    sense = toy_sense((12, 12), coils=6)
    mask = torch.cat([interleaved(8, every).mask for every in (2, 4)])
    both, _ = toy_measurement(replace(sense, mask=mask), 8)
    found = sliding_window(both)
    for one in range(2):
        own = slice(one, one + 1)
        alone = Measurement(
            replace(both.sense, maps=sense.maps[own], mask=mask[own]), both.adjoint[own]
        )
        assert (sliding_window(alone) - found[own]).norm() < 1e-4 * found[own].norm()


@pytest.mark.parametrize("method", [cg_sense, sliding_window])
def test_samples_that_are_held_out_along_the_readout_are_so_in_slabs(
    method: Callable[[Measured], Image],
) -> None:
    """Of volumes that are read in slabs, and of the slices across them."""
    sense = toy_sense((5, 4, 6), (-2, -1), batch=1, frames=3)
    held = toy_image(sense, 3)[:, :1].real > -1
    whole, _ = toy_measurement(replace(sense, mask=sense.mask & held), 3)
    slabbed = Slabbed(
        lambda at: narrow(sense.maps, -3, at), whole.mask, whole.axes, -3, 2, whole.adjoint
    )
    expected = method(whole)
    assert (method(slabbed) - expected).norm() < 1e-4 * expected.norm()
    slices, at_once = AsSlices.of(slabbed), AsSlices.of(whole).whole()
    expected = method(at_once)
    assert (method(slices) - expected).norm() < 1e-4 * expected.norm()
