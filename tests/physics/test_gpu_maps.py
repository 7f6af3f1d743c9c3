"""Maps that a GPU fetches from pinned memory: to the bit the numbers of maps that lie there."""

from dataclasses import replace

import pytest
import torch
from tiny import prepared, tiny_scan
from toys import EACH_SHAPE, toy_image, toy_kspace, toy_sense

from gleam.data.goal import Goal
from gleam.data.loader import TrainingBatches
from gleam.physics.prediction import HeldOut, prediction_loss
from gleam.recipe import MaskRecipe

pytestmark = pytest.mark.cuda


def at_home(tensor, device):
    return tensor.pin_memory() if device.type == "cuda" else tensor


@pytest.mark.parametrize("at_once", [0, 1, 2])
@EACH_SHAPE
def test_the_operator_and_the_loss_are_those_of_maps_on_the_device(shape, at_once, device):
    sense, frames = toy_sense(**shape, coils=5, coils_at_once=at_once), shape.get("frames", 1)
    fetched = replace(sense, maps=at_home(sense.maps, device), fetched=True).to(device)
    sense = sense.to(device)
    assert fetched.maps.device.type == "cpu"
    image, kspace = toy_image(sense, frames).to(device), toy_kspace(sense, frames)
    for way, x in (("forward", image), ("adjoint", kspace.to(device)), ("normal", image)):
        one, other = (getattr(each, way)(x) for each in (sense, fetched))
        assert one.device == other.device == device
        assert torch.equal(one, other)
    held = HeldOut(sense, kspace.to(device)), HeldOut(fetched, at_home(kspace, device))
    results = []
    for one in held:
        x = image.clone().requires_grad_()
        loss = prediction_loss(x, one)
        results.append((loss, *torch.autograd.grad(loss, x), one.energy()))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("target", ["image", "kspace"])
def test_batches_are_those_of_maps_on_the_device(target, device):
    examples = [prepared(tiny_scan(seed=seed)) for seed in range(2)]
    mask, goal = MaskRecipe(acceleration=1.6), Goal(target)
    feeds = [
        TrainingBatches(examples, mask, 1, 3, goal=goal, fetched=fetched).between(0, 3, device)
        for fetched in (False, True)
    ]
    for one, other in zip(*feeds, strict=True):
        assert other.measurement.sense.maps.device.type == "cpu"
        assert other.measurement.adjoint.device == device
        assert torch.equal(one.measurement.adjoint, other.measurement.adjoint)
        if target == "kspace":
            assert torch.equal(one.heldout.kspace.cpu(), other.heldout.kspace)
            x = one.measurement.adjoint
            assert torch.equal(prediction_loss(x, one.heldout), prediction_loss(x, other.heldout))
