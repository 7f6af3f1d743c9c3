"""Other packages' networks through our adapters: the same images, and the gradients of autograd."""

from functools import partial

import pytest
import torch
from packages import PACKAGES, Theirs, measured, network

from gleam.errors import BadInput
from gleam.training.flow import train_step
from gleam.training.greedy import greedy
from gleam.training.states import detached


@pytest.fixture(params=PACKAGES)
def both(request: pytest.FixtureRequest) -> Theirs:
    return PACKAGES[request.param]()


def state_after(both: Theirs) -> dict:
    state = both.ours.first(both.measurement)
    for block in both.ours.iterations:
        state = block(state, both.measurement)
    return state


def test_the_image_is_that_of_its_own_forward_pass(both: Theirs) -> None:
    with torch.no_grad():
        expected = both.image()
        found = both.same(state_after(both))
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    untouched = both.same(both.ours.first(both.measurement))
    assert (untouched - expected).abs().max() > 1e-2 * expected.abs().max()


def test_its_image_is_one_of_ours(both: Theirs) -> None:
    with torch.no_grad():
        image = both.ours(both.measurement)
    assert image.shape == both.target.shape
    assert image.dtype == torch.complex64
    first = both.ours.image(both.ours.first(both.measurement))
    error = (first - both.measurement.adjoint).abs().max()
    assert error < 1e-5 * both.measurement.adjoint.abs().max()


def loss(ours, state, target):
    return (ours.image(state) - target).abs().mean()


def gradients(weights) -> dict:
    return {name: w.grad.clone() for name, w in weights if w.grad is not None}


@pytest.mark.parametrize("storage", ["store", "checkpoint"])
def test_greedy_gradients_are_those_of_autograd(both: Theirs, storage: str) -> None:
    ours, measurement = both.ours, both.measurement
    modules = greedy(
        ours.iterations, [2, 1], optimizer=partial(torch.optim.SGD, lr=0.1), storage=storage
    )
    judge = partial(loss, ours)
    start = ours.start(measurement)
    train_step(modules, start, measurement, both.target, judge, accumulate=True)
    found = gradients(ours.named_parameters())
    ours.zero_grad(set_to_none=True)
    state = start
    for part in (ours.iterations[:2], ours.iterations[2:]):
        state = detached(state)
        for block in part:
            state = block(state, measurement)
        judge(state, both.target).backward()
    expected = gradients(ours.named_parameters())
    assert found.keys() == expected.keys()
    assert len(found) > 0.6 * len(list(ours.parameters()))
    for name, gradient in expected.items():
        error = (found[name] - gradient).norm()
        assert error <= 1e-5 * gradient.norm() + 1e-9, name


def test_end_to_end_gradients_are_those_of_its_own_pass(both: Theirs) -> None:
    """One module of all blocks learns what the network learns by itself."""
    both.same(state_after(both)).square().sum().backward()
    both.image().square().sum().backward()
    found = sorted(w.grad.norm().item() for w in both.ours.parameters() if w.grad is not None)
    expected = sorted(w.grad.norm().item() for w in both.theirs.parameters() if w.grad is not None)
    largest = max(expected)
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-5 * largest)


def test_lines_may_run_along_either_axis_and_frames_are_images() -> None:
    """The network that estimates maps is shown lines along the axis that it expects."""
    both = PACKAGES["fastmri"]()
    for axes in [(-1,), (-2,)]:
        measurement, target = measured(18, 20, axes=axes, batch=1, frames=2)
        with torch.no_grad():
            assert both.ours(measurement).shape == target.shape


def test_points_of_two_axes_have_no_lines_to_estimate_maps_from() -> None:
    both = PACKAGES["fastmri"]()
    measurement, target = measured(18, 20, axes=(-2, -1))
    with pytest.raises(BadInput, match=r"network.arguments.sensitivities: .* set it to false"):
        both.ours(measurement)
    given = network("fastmri:varnet", 2, chans=4, pools=2, sensitivities=False)
    with torch.no_grad():
        assert given(measurement).shape == target.shape
