"""Gradients on a device against those on the CPU: every storage, family and dimension.

The networks are those that `test_storage` proves storages on, which keep the size of what they are
given. One whose weights are drawn without regard to their number does not: a U-Net over frames with
weights of 0.1 makes 2 · 10⁶ of 1, and single precision then leaves three digits of its gradient, on
a CPU as on a GPU, whatever the storage.
"""

import copy

import pytest
import torch
from test_storage import FITTING, chosen, toy_problem, value_and_gradients

from gleam.precision import TOLERANCES

pytestmark = pytest.mark.cuda

PLAIN = [
    (shape, "store", family, fields)
    for shape in ("2D", "2D+t", "3D")
    for family, fields in (
        ("modl", {}),
        ("modl", {"cg_tolerance": 1e-6}),
        ("modl", {"inputs": ("gradient", "change")}),
        ("pgd", {}),
        ("pgd", {"kind": "unet"}),
        ("reversible", {}),
    )
]
PLAIN += [("3D", "store", "modl", {"patch": (4, 5, 3)})]
PLAIN += [("2D+t", "store", "pgd", {"circular": True, "kind": kind}) for kind in ("resnet", "unet")]


@pytest.mark.parametrize(("shape", "storage", "family", "fields"), PLAIN + FITTING, ids=str)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.complex64, TOLERANCES["fp32"]), (torch.complex128, 1e-9)]
)
def test_gradients_are_those_of_the_cpu(
    shape, storage, family, fields, dtype, tolerance, device, tmp_path
):
    if storage == "invert":  # recovers its input to 1e-4 only, see `test_storage`
        tolerance = max(tolerance, 1e-3 if dtype == torch.complex64 else 1e-6)
    network, measurement, target = toy_problem(family, 3, dtype, shape, **fields)
    for folder in [tmp_path, None] if storage == "offload" else [None]:
        run = chosen(storage, folder)
        expected = value_and_gradients(run, network, measurement, target)
        there = copy.deepcopy(network).to(device), measurement.to(device), target.to(device)
        found = value_and_gradients(run, *there)
        for one, other in zip(found, expected, strict=True):
            assert one.device == device
            assert (one.cpu() - other).norm() <= tolerance * other.norm()


def test_twice_the_same_is_the_same_to_the_bit(device):
    network, measurement, target = toy_problem("modl", 3)
    there = network.to(device), measurement.to(device), target.to(device)
    one, other = (value_and_gradients(chosen("offload", None), *there) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
