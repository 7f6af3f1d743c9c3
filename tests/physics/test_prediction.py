"""Samples that an image did not see, and how it predicts them."""

from dataclasses import replace

import pytest
import torch
from toys import EACH_SHAPE, noise, toy_image, toy_kspace, toy_sense

from gleam.physics.prediction import HeldOut, HeldOutSlabs, prediction_loss
from gleam.physics.sense import Sense
from gleam.training.meter import metered


def plain(image, held):
    """The same loss, written out with all coils at once."""
    sense = held.sense
    kept = (sense.mask > 0).expand_as(held.kspace)
    residual = (sense.forward(image) - held.kspace) * kept
    count = kept.flatten(1).sum(1).clamp_min(1)
    absolute = residual.abs().flatten(1).sum(1) / count
    squares = (residual.real.square() + residual.imag.square()).flatten(1).sum(1) / count
    return (absolute + squares.sqrt()).mean()


def problem(shape, dtype=torch.complex128):
    frames = shape.get("frames", 1)
    sense = toy_sense(**shape, dtype=dtype)
    return HeldOut(sense, toy_kspace(sense, frames)), toy_image(sense, frames)


@EACH_SHAPE
def test_loss_and_gradient_are_those_of_all_coils_at_once(shape):
    held, image = problem(shape)
    one, other = (image.clone().requires_grad_() for _ in range(2))
    loss, expected = prediction_loss(one, held), plain(other, held)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(one.grad, other.grad)


@EACH_SHAPE
def test_the_true_image_is_off_by_the_noise_alone(shape):
    held, image = problem(shape)
    sigma = 0.1
    kspace = held.sense.forward(image)
    noisy = kspace + sigma * noise(*kspace.shape, dtype=kspace.dtype)
    exact, measured = HeldOut(held.sense, kspace), HeldOut(held.sense, noisy)
    assert exact.error(image).max() < 1e-12
    torch.testing.assert_close(
        measured.error(image),
        torch.full((len(image),), sigma, dtype=torch.float64),
        rtol=0.3,
        atol=0,
    )
    torch.testing.assert_close(exact.energy(), exact.error(torch.zeros_like(image)))


def test_a_part_is_what_is_cut_out_of_it():
    held, image = problem({"space": (8, 11)})
    rows = range(2, 7)
    part = held.part(-2, rows)
    inside = image[..., rows.start : rows.stop, :]
    everywhere = (held.sense.forward(image) - held.kspace) * held.sense.mask
    expected = everywhere[..., rows.start : rows.stop, :].abs().square().flatten(1).sum(1)
    torch.testing.assert_close(part.error(inside).square() * part.count, expected)


def test_without_samples_there_is_neither_loss_nor_slope():
    held, image = problem({})
    none = HeldOut(Sense(held.sense.maps, torch.zeros_like(held.sense.mask), (-1,)), held.kspace)
    image.requires_grad_()
    loss = prediction_loss(image, none)
    loss.backward()
    assert loss < 1e-100
    assert image.grad.abs().max() == 0


@pytest.mark.parametrize("coils", [4, 16])
def test_memory_does_not_grow_with_coils(coils):
    sense = toy_sense((32, 32), batch=1, coils=coils)
    held = HeldOut(sense, toy_kspace(sense))
    image = toy_image(sense).requires_grad_()
    _, peak = metered(lambda: prediction_loss(image, held).backward(), torch.device("cpu"))
    assert peak < 14 * image.nbytes


@EACH_SHAPE
def test_samples_and_maps_that_are_fetched_come_coil_by_coil(shape):
    held, image = problem(shape)
    fetched = HeldOut(replace(held.sense, fetched=True), held.kspace)
    there = fetched.to("meta")  # a device on which nothing is computed
    assert there.kspace is held.kspace
    assert there.sense.maps is held.sense.maps
    on_device = image.to("meta").requires_grad_()
    loss = prediction_loss(on_device, there)
    loss.backward()
    results = [loss, on_device.grad, there.error(image.to("meta")), there.energy(), there.count]
    assert {one.device.type for one in results} == {"meta"}
    assert torch.equal(prediction_loss(image, fetched), prediction_loss(image, held))
    assert torch.equal(fetched.energy(), held.energy())
    part = there.part(-2, range(2, 4)) if -2 not in held.sense.axes else there
    assert part.sense.fetched


def test_coils_that_were_switched_off_are_not_heard():
    held, _ = problem({"coils": 4})
    assert held.heard.tolist() == [1, 1]
    kspace = held.kspace.clone()
    kspace[1, 1:] = 0
    held = HeldOut(held.sense, kspace)
    assert held.heard.tolist() == [1, 0.25]
    rows = [range(5), range(5, 12)]
    cut = HeldOutSlabs(lambda at: held.part(-2, at), -2, rows)
    assert torch.allclose(cut.heard, held.heard, atol=1e-6)
