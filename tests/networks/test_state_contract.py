"""Every state keeps the contract of `StateFormat`, also that of somebody else's network."""

from collections.abc import Callable
from typing import Any

import mynet
import pytest
import torch
from torch import nn
from toys import noise, toy_measurement, toy_network, toy_sense

from gleam.arrays import mapped, narrow, tensors
from gleam.networks import Unrolled
from gleam.networks.foreign import Adapter, Foreign
from gleam.networks.state import ImageState, StateFormat
from gleam.physics.measurement import Measurement
from gleam.training.states import detached

AXIS = -2  # F leaves it out


def measured(rows: int = 24) -> Measurement:
    return toy_measurement(toy_sense((rows, 9), batch=1))[0]


@torch.no_grad()
def check_state(state: StateFormat, iterations: list[nn.Module]) -> None:
    """Whether training, pipelines and volumes may rely on what it says of these iterations."""
    measurement = measured()
    shape, adjoint = measurement.adjoint.shape, measurement.adjoint.clone()
    assert isinstance(state, StateFormat)
    now = state.first(measurement)
    assert _equal(now, state.first(measurement)), "another time it begins otherwise"
    for iteration in iterations:
        assert tensors(now), "no tensor"
        before = _clone(now)
        image = state.image(now)
        assert image.shape == shape, "an image of another shape"
        assert image.dtype == torch.complex64, "an image of another type"
        after = iteration(now, measurement)
        assert _equal(now, before), "changes what it is given"
        assert _shapes(after) == _shapes(now), "a state of another shape"
        assert _equal(iteration(_clone(now), measurement), after), "holds more than its tensors"
        now = after
    assert torch.equal(measurement.adjoint, adjoint), "changes what was measured"
    if len(tensors(now)) == 1:  # others do not travel
        assert tuple(state.shapes(shape)) == _shapes(now)[0], "travels in another shape"
    if state.in_slabs:
        _check_reach(state, iterations)


def _check_reach(state: StateFormat, iterations: list[nn.Module]) -> None:
    """Whether a slab, with what it reaches around it, is treated as in the whole."""
    measurement, size = measured(64), 8
    reach, alignment = state.reach(iterations, AXIS), state.alignment(iterations, AXIS)
    assert reach >= 0, "no reach"
    assert alignment >= 1, "no alignment"
    whole = state.first(measurement)
    whole = whole + 0.1 * noise(*whole.shape, seed=3)
    first = (32 - reach) // alignment * alignment
    around = range(first, min(64, 32 + size + reach))
    part = _cut(measurement, around)
    for iteration in iterations:
        slab = iteration(narrow(whole, AXIS, around), part).narrow(AXIS, 32 - first, size)
        expected = iteration(whole, measurement).narrow(AXIS, 32, size)
        assert (slab - expected).abs().max() < 1e-5 * expected.abs().max(), "looks further"


def _cut(measurement: Measurement, positions: range) -> Measurement:
    sense, adjoint = measurement.sense, narrow(measurement.adjoint, AXIS, positions)
    sense = type(sense)(narrow(sense.maps, AXIS, positions), sense.mask, sense.axes)
    return Measurement(sense, adjoint, measurement.noise)


def _clone(state: Any) -> Any:
    return detached(mapped(torch.clone, state))


def _shapes(state: Any) -> list[tuple[int, ...]]:
    return [tuple(one.shape) for one in tensors(state)]


def _equal(one: Any, other: Any) -> bool:
    pairs = zip(tensors(one), tensors(other), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def own(**fields: Any) -> Unrolled:
    return toy_network(iterations=3, **fields).eval()


def foreign(adapter: Adapter) -> Unrolled:
    assert isinstance(adapter, Adapter)
    return Unrolled(list(adapter.blocks), Foreign(adapter, "mynet")).eval()


STATES: dict[str, Callable[[], Unrolled]] = {
    "the image": lambda: own(),
    "of a U-Net": lambda: own(kind="unet", levels=2),
    "two streams": lambda: own(family="reversible"),
    "its change": lambda: own(inputs=("change",)),
    "from another first image": lambda: own(first_image="cg-sense"),
    "of an adapter": lambda: foreign(mynet.build(3)),
    "of an adapter that says all": lambda: foreign(mynet.Everything(3)),
}


@pytest.mark.parametrize("name", STATES)
def test_contract(name: str) -> None:
    network = STATES[name]()
    check_state(network.state, list(network.iterations))


def test_reach_and_alignment_are_those_of_the_farthest_iteration() -> None:
    """Also where iterations are unlike, as those of an older run that was grown."""
    near, far = own(blocks=1).iterations[0], own(kind="unet", levels=2).iterations[0]
    state = ImageState()
    for some in ([near, far], [far, near]):
        assert state.reach(some, -1) == state.reach([far], -1) > state.reach([near], -1)
        assert state.alignment(some, -1) == 4 > state.alignment([near], -1)


class Broken(ImageState):
    """Breaks one rule."""

    def __init__(self, rule: str) -> None:
        super().__init__()
        vars(self).update(rule=rule, calls=0)

    def first(self, measurement: Measurement) -> Any:
        vars(self)["calls"] += 1
        first = super().first(measurement)
        if self.rule == "another time":
            return first * self.calls
        return measurement.adjoint.mul_(1.5) if self.rule == "what was measured" else first

    def image(self, state: Any) -> Any:
        if self.rule == "an image of another shape":
            return state[..., 1:]
        return state.to(torch.complex128) if self.rule == "another type" else state

    def shapes(self, image: Any) -> Any:
        return (*image, 2) if self.rule == "travels" else super().shapes(image)

    def reach(self, iterations: Any, axis: int) -> int:
        return 1 if self.rule == "looks further" else super().reach(iterations, axis)

    def alignment(self, iterations: Any, axis: int) -> int:
        return 0 if self.rule == "no alignment" else super().alignment(iterations, axis)


class BrokenIteration(nn.Module):
    def __init__(self, rule: str) -> None:
        super().__init__()
        self.rule, self.calls = rule, 0

    def forward(self, state: Any, measurement: Measurement) -> Any:
        self.calls += 1
        if self.rule == "changes what it is given":
            return state.mul_(2)
        return state[..., 1:] if self.rule == "a state of another shape" else state * self.calls


OF_STATE = [
    "an image of another shape",
    "another type",
    "travels",
    "looks further",
    "no alignment",
    "another time",
    "what was measured",
]
OF_ITERATION = ["changes what it is given", "a state of another shape", "holds more"]


@pytest.mark.parametrize("rule", [*OF_STATE, *OF_ITERATION])
def test_contract_that_is_broken_is_noticed(rule: str) -> None:
    network = own()
    iterations = [BrokenIteration(rule)] if rule in OF_ITERATION else list(network.iterations)
    with pytest.raises(AssertionError, match=rule):
        check_state(Broken(rule), iterations)
