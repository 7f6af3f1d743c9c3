"""Volumes on a device: slab by slab as at once, and as on the CPU."""

import copy

import pytest
import torch
from test_slabs import NETWORKS, slabbed, toy, volume
from tiny import largest_error

from gleam.precision import TOLERANCES

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("kind", NETWORKS)
@torch.no_grad()
def test_slabs_on_a_device_are_the_volume_on_the_cpu(kind: str, device: torch.device) -> None:
    network, whole = toy(kind), volume()
    there = copy.deepcopy(network).to(device)
    expected = network(whole).numpy()
    for measurement in (whole, slabbed(whole, -3, 8)):
        image = there(measurement.to(device))
        assert image.device == device
        assert largest_error(image.cpu().numpy(), expected) < TOLERANCES["fp32"]
