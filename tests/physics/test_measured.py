"""Every kind of measurement keeps the contract of `Measured`: a step is taken of the whole."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import pytest
import torch
from tiny import largest_error
from torch import Tensor
from toys import toy_measurement, toy_sense

from gleam.arrays import State, narrow, slabs
from gleam.physics.measurement import AlongAxis, Measured, Measurement, S
from gleam.physics.sense import Sense
from gleam.physics.slabs import Slabbed
from gleam.physics.slices import AsSlices

AXIS, REACH, ALIGNMENT = -3, 2, 4


def whole() -> Measurement:
    """A volume sampled in part along y and x."""
    return toy_measurement(toy_sense((11, 6, 5), (-2, -1), batch=1))[0]


def in_slabs(size: int) -> Slabbed:
    one = whole()

    def maps(positions: range) -> Tensor:
        return narrow(one.sense.maps, AXIS, positions)

    return Slabbed(maps, one.mask, one.axes, AXIS, size, one.adjoint, one.noise)


def slices() -> Measurement:
    """The same volume, taken apart by hand."""
    one = whole()
    maps, adjoint = one.sense.maps[0].movedim(AXIS, 0), one.adjoint[0].movedim(AXIS, 0)
    assert one.noise is not None
    return Measurement(Sense(maps, one.mask.squeeze(AXIS), (-2, -1)), adjoint, one.noise.repeat(11))


def pooled(state: State, part: Measurement, axis: int) -> State:
    """Data consistency, and what networks do: look `REACH` aside, in blocks of `ALIGNMENT`."""
    blocks = [narrow(state, axis, block) for block in slabs(state.shape[axis], ALIGNMENT)]
    most = torch.cat([b.abs().amax(axis, keepdim=True).expand_as(b) for b in blocks], axis)
    padded = torch.nn.functional.pad(torch.view_as_real(state), (0, 0) * -axis + (REACH, REACH))
    aside = torch.view_as_complex(padded.unfold(axis - 1, 2 * REACH + 1, 1).sum(-1))
    return part.sense.normal(state) - part.adjoint + 0.1 * aside + 0.1 * most


def check_measured(measurement: Measured, expected: Measurement, axis: int = AXIS) -> None:
    """Whether it is `expected`, however much of it is in memory."""
    assert torch.equal(measurement.adjoint, expected.adjoint), "another Aᴴy"
    assert torch.equal(measurement.mask, expected.mask), "another mask"
    assert measurement.axes == expected.axes, "other axes"
    assert torch.equal(measurement.noise, expected.noise), "another noise level"
    at_once = measurement.whole()
    assert torch.equal(at_once.sense.maps, expected.sense.maps), "other maps"
    assert torch.equal(at_once.adjoint, expected.adjoint), "another Aᴴy in memory"
    state, looks = torch.roll(expected.adjoint, 1, axis), partial(pooled, axis=axis)
    before, step = (state.clone(), expected.adjoint.clone()), looks(state, expected)
    reach, alignment = REACH + ALIGNMENT, ALIGNMENT
    after = measurement.advance(looks, state, lambda axis: reach, lambda axis: alignment)
    kept = torch.equal(state, before[0]) and torch.equal(measurement.adjoint, before[1])
    assert kept, "changes what it is given"
    assert after.shape == state.shape, "a state of another shape"
    assert largest_error(after.numpy(), step.numpy()) < 1e-6, "not the step of the whole"
    local = measurement.advance(lambda s, part: part.sense.normal(s) + part.adjoint, state)
    aim = expected.sense.normal(state) + expected.adjoint
    assert largest_error(local.numpy(), aim.numpy()) < 1e-6, "not the local step of the whole"
    moved = measurement.to("meta")
    assert moved.adjoint.device.type == moved.mask.device.type == "meta", "stays where it is"
    assert moved.noise.device.type == "meta", "stays where it is"
    assert measurement.adjoint.device.type == "cpu", "does not stay where it is"


@pytest.mark.parametrize(
    "measurement", [whole(), *map(in_slabs, (1, 3, 4, 11, 20))], ids=lambda m: type(m).__name__
)
def test_contract(measurement: Measured) -> None:
    check_measured(measurement, whole())


@pytest.mark.parametrize(
    "volume", [whole(), *map(in_slabs, (1, 4, 20))], ids=lambda m: type(m).__name__
)
def test_contract_of_slices(volume: Measured) -> None:
    check_measured(AsSlices.of(volume), slices(), axis=-1)


@dataclass(frozen=True)
class Broken(Slabbed):
    rule: str = ""

    def advance(
        self,
        step: Callable[[S, Measurement], S],
        state: S,
        reach: AlongAxis = lambda axis: 0,
        alignment: AlongAxis = lambda axis: 1,
    ) -> S:
        if self.rule == "step of the whole":  # slabs are no longer than they end up
            reach = lambda axis: 0  # noqa: E731
        after = super().advance(step, state, reach, alignment)
        if self.rule == "changes":
            state += 1
        if self.rule == "shape":
            return after[..., 1:]
        if self.rule == "local step" and alignment(AXIS) == 1:
            return 2 * after
        return after

    def to(self, device: torch.device | str) -> "Broken":
        return self if self.rule == "stays" else super().to(device)  # type: ignore[return-value]


def broken(rule: str) -> Broken:
    return Broken(**vars(in_slabs(3)), rule=rule)


BROKEN = {
    "another Aᴴy": lambda: replace(in_slabs(3), adjoint=2 * whole().adjoint),
    "another mask": lambda: replace(in_slabs(3), mask=~whole().mask),
    "other axes": lambda: replace(in_slabs(3), axes=(-1,)),
    "another noise level": lambda: replace(in_slabs(3), noise=2 * whole().noise),
    "not the step of the whole": lambda: broken("step of the whole"),
    "not the local step": lambda: broken("local step"),
    "other maps": lambda: replace(in_slabs(3), maps=lambda p: 2 * in_slabs(3).maps(p)),
    "another shape": lambda: broken("shape"),
    "changes what it is given": lambda: broken("changes"),
    "stays where it is": lambda: broken("stays"),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_contract_that_is_broken_is_noticed(rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check_measured(BROKEN[rule](), whole())
