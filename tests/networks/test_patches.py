"""Patch by patch is the whole: values and gradients; and less is held at a time."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from toys import OF_NETWORK, toy_measurement, toy_network, toy_sense

from gleam.networks import ResNet, UNet, Unrolled, patches
from gleam.networks.patches import Axis, boxes
from gleam.networks.regulariser import Convolved
from gleam.physics.measurement import Measurement
from gleam.training.meter import metered

# Kind of data, space, patch, fields of the network.
CASES: dict[str, tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "slices": ("2D", (23, 30), (7, 9), {}),
    "slices, wide kernels": ("2D", (23, 30), (30, 5), {"kernel": 5, "blocks": 2}),
    "volume": ("3D", (9, 16, 17), (5, 8, 6), {}),
    "cine": ("2D+t", (20, 18), (2, 7, 5), {}),
    "periodic cine": ("2D+t", (20, 18), (2, 7, 5), {"circular": True}),
    "U-Net, slices": (
        "2D", (61, 70), (61, 17), {"kind": "unet", "levels": 2, "iterations": 1},
    ),
    "U-Net, volume": (
        "3D", (3, 34, 37), (3, 8, 30), {"kind": "unet", "levels": 1, "iterations": 1},
    ),
    "U-Net, periodic cine": (
        "2D+t", (34, 8), (2, 9, 8),
        {"kind": "unet", "levels": 1, "circular": True, "iterations": 1},
    ),
    "shown the gradient": ("2D", (23, 30), (7, 9), {"inputs": ("gradient", "change")}),
    "reversible": ("2D", (23, 30), (7, 9), {"family": "reversible"}),
    "coupled": ("2D", (23, 30), (7, 9), {"coupling": True}),
}  # fmt: skip
EACH_CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def problem(
    case: tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]],
    dtype: torch.dtype = torch.complex128,
) -> tuple[Unrolled, Measurement, Tensor]:
    """A network that takes patches, and what it is applied to."""
    kind, space, patch, fields = case
    frames = 3 if kind == "2D+t" else 1
    of_network = dict(OF_NETWORK[kind])
    sense = toy_sense(
        space=space, axes=(-2, -1) if kind == "3D" else (-1,), batch=1, coils=2, frames=frames,
        sets=int(of_network.get("sets", 1)), dtype=dtype,
    )  # fmt: skip
    measurement, target = toy_measurement(sense, frames)
    arguments = {"family": "pgd", "width": 4, **of_network, **fields, "patch": patch}
    network = toy_network(**arguments)
    return network.double() if dtype == torch.complex128 else network, measurement, target


def convolved(network: Unrolled) -> list[Convolved]:
    return [one for one in network.modules() if isinstance(one, Convolved)]


def learnt(network: Unrolled, measurement: Measurement, target: Tensor) -> list[Tensor]:
    """The state after all iterations, and the gradients of it and of all weights."""
    state = network.start(measurement).clone().requires_grad_()
    after = state
    for iteration in network.iterations:
        after = iteration(after, measurement)
    error = (network.image(after) - target).abs().square().sum()
    return [after.detach(), *torch.autograd.grad(error, [state, *network.parameters()])]


def worst(some: list[Tensor], others: list[Tensor]) -> float:
    pairs = zip(some, others, strict=True)
    return max(((a - b).norm() / b.norm()).item() for a, b in pairs)


@EACH_CASE
def test_values_and_gradients_are_those_of_the_whole(
    case: tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]],
) -> None:
    network, *given = problem(case)
    found = learnt(network, *given)
    with torch.no_grad():
        (silent,) = network(given[0])
    for one in convolved(network):
        one.patch = None
    expected = learnt(network, *given)
    assert worst(found, expected) < 1e-12
    assert worst([silent], [*network.image(expected[0])]) < 1e-12


@pytest.mark.parametrize("name", ["volume", "U-Net, slices"])
def test_single_precision_is_enough(name: str) -> None:
    network, *given = problem(CASES[name], torch.complex64)
    found = learnt(network, *given)
    for one in convolved(network):
        one.patch = None
    assert worst(found, learnt(network, *given)) < 1e-5


@pytest.mark.parametrize("name", ["slices", "U-Net, slices"])
@pytest.mark.parametrize("kind", ["reach", "alignment"])
def test_margins_are_as_long_as_is_needed(
    name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (name, kind) == ("slices", "alignment"):
        return  # any position will do
    network, *given = problem(CASES[name])
    found = learnt(network, *given)
    less = {"reach": lambda cnn, axis: 3, "alignment": lambda cnn, axis: 1}[kind]
    monkeypatch.setattr(UNet if "U-Net" in name else ResNet, kind, less)
    assert worst(learnt(network, *given), found) > 1e-9


def test_in_half_precision_it_is_as_coarse_as_the_whole() -> None:
    kind, space, patch, fields = CASES["volume"]
    case = kind, space, patch, fields | {"bf16": True}
    network, *given = problem(case, torch.complex64)
    found = learnt(network, *given)
    for one in convolved(network):
        one.patch = None
    assert worst(found[:1], learnt(network, *given)[:1]) < 1e-3
    assert worst(found, learnt(network, *given)) < 5e-2


def test_a_weight_that_does_not_learn_has_no_gradient() -> None:
    network, measurement, _ = problem(CASES["slices"])
    first = convolved(network)[0].cnn.first.weight.requires_grad_(False)
    after = network.iterations[0](network.start(measurement), measurement)
    after.abs().sum().backward()
    assert first.grad is None
    assert convolved(network)[0].cnn.last.weight.grad is not None


def test_smaller_patches_take_less_memory() -> None:
    """On a CPU they had better not be too small along y and x: see `Convolved`."""
    case = ("3D", (48, 26, 26), (48, 26, 26), {"width": 32})
    network, measurement, _ = problem(case, torch.complex64)

    def learn() -> None:
        state = network.start(measurement)
        network.iterations[0](state, measurement).abs().sum().backward()

    def peak(*patch: int) -> int:
        for one in convolved(network):
            one.patch = patch
        learn()
        return metered(learn, torch.device("cpu"))[1]

    whole = peak(48, 26, 26)
    assert peak(24, 26, 26) < 0.7 * whole
    assert peak(8, 26, 26) < 0.45 * whole


@st.composite
def grids(draw: st.DrawFn) -> list[Axis]:
    return [
        Axis(
            draw(st.integers(1, 60)),
            draw(st.integers(0, 9)),
            draw(st.sampled_from([1, 2, 4, 8])),
            draw(st.booleans()),
        )
        for _ in range(draw(st.integers(2, 3)))
    ]


@settings(deadline=None, max_examples=60)
@given(grids(), st.one_of(st.just("auto"), st.integers(1, 70)), st.floats(1, 1e9))
def test_cores_are_the_grid_and_margins_as_long_as_there_is_room(
    axes: list[Axis], size: str | int, features: float
) -> None:
    found = boxes(axes, "auto" if size == "auto" else (int(size),) * len(axes), features)
    seen = torch.zeros([axis.length for axis in axes], dtype=torch.int)
    for box in found:
        part = seen
        for n, along in enumerate(box):
            part = part.narrow(n, along.core.start, len(along.core))
            axis = axes[n]
            assert along.wide.start in (
                0, *range(along.core.start - axis.reach, -1, -1)
            )  # fmt: skip
            assert along.wide.start % axis.alignment == 0
            assert along.wide.stop >= min(along.core.stop + axis.reach, axis.length)
            assert 0 <= along.wide.start <= along.wide.stop <= axis.length
            assert not axis.whole or len(along.core) == axis.length
            assert size == "auto" or len(along.core) <= max(int(size), axis.length * axis.whole)
        part += 1
    assert (seen == 1).all()


def test_auto_is_the_whole_where_that_is_small_and_else_as_few_as_fit() -> None:
    cube = [Axis(256, 6, 1)] * 3
    assert len(boxes(cube, "auto", patches.MOST / 256**3)) == 1
    found = boxes(cube, "auto", 32 * 8 * 4.0)  # the usual regulariser
    assert max(math.prod(len(along.wide) for along in box) for box in found) * 1024 <= patches.MOST
    assert 16 <= len(found) <= 32  # 16 GiB in patches of 1


def test_auto_knows_what_a_patch_takes() -> None:
    """The activations of a patch, and what convolutions compute with."""
    for fields in ({}, {"blocks": 3}, {"kind": "unet", "levels": 1}):
        fields |= {"width": 32, "iterations": 1}
        network, *_ = problem(("3D", (4, 40, 40), (4, 40, 40), fields), torch.complex64)
        (cnn,) = convolved(network)
        part = torch.randn(1, 2, 4, 40, 40, requires_grad=True)
        expected = cnn._bytes_per_position(part) * 4 * 40 * 40

        def learn(part: Tensor = part, cnn: Convolved = cnn) -> None:
            Convolved.forward(cnn, part).square().sum().backward()

        learn()
        _, peak = metered(learn, torch.device("cpu"))
        assert 0.6 * expected < peak < 1.5 * expected


def test_auto_is_taken_where_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    network, *given = problem(CASES["volume"])
    whole = learnt(network, *given)
    for one in convolved(network):
        one.patch = "auto"
    assert worst(learnt(network, *given), whole) < 1e-12
    monkeypatch.setattr(patches, "MOST", 150_000)
    (cnn, _) = convolved(network)
    image = torch.zeros(1, 2, 9, 16, 17)
    assert len(boxes(cnn._axes(image), "auto", cnn._bytes_per_position(image))) > 1
    assert worst(learnt(network, *given), whole) < 1e-12
