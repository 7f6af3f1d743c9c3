"""Every iteration that can be undone keeps the contract of `Invertible`, and says what it loses."""

import pytest
import torch
from toys import OF_NETWORK, SHAPES, noise, toy_measurement, toy_network, toy_sense

from gleam.networks import InvertibleModelBased, InvertibleProximalGradient
from gleam.networks.coupling import Invertible

DOUBLE = torch.complex128
KINDS = pytest.mark.parametrize(
    ("family", "fields"),
    [
        ("modl", {"cg_tolerance": 1e-14, "weight": 0.3}),
        ("pgd", {"step": 0.7}),
        ("reversible", {"coupling": False}),
    ],
)


def toy_iteration(family, **fields):
    network = toy_network(family, 1, **{"coupling": True, **fields}).double()
    return network, network.iterations[0]


def check_invertible(iteration, start, measurement):
    """Whether it can be undone, in double precision, and what it says of errors is enough."""
    assert isinstance(iteration, Invertible)
    before = noise(*start.shape, seed=7, dtype=DOUBLE).requires_grad_()
    after = iteration(before, measurement)
    gradient = noise(*start.shape, seed=8, dtype=DOUBLE)
    expected = torch.autograd.grad(after, [before, *iteration.parameters()], gradient)
    output, kept = after.detach(), (after.detach().clone(), gradient.clone())

    found, first, weights = iteration.back(output, gradient, measurement)
    assert torch.equal(output, kept[0]), "changes what it is given"
    assert torch.equal(gradient, kept[1]), "changes what it is given"
    assert (found - before).norm() < 1e-10 * before.norm(), "another input"
    assert (first - expected[0]).norm() <= 1e-9 * expected[0].norm(), "another gradient there"
    assert len(weights) == len(expected) - 1, "a weight without a gradient"
    for one, other in zip(weights, expected[1:], strict=True):
        assert (one - other).norm() <= 1e-9 * other.norm(), "another gradient of a weight"

    said = [iteration.error_of_inverse(error, measurement) for error in (0.0, 1e-6, 1e-3)]
    assert said == sorted(said), "larger errors come back smaller"
    assert said[1] >= 1e-6, "errors come back smaller than they were"


@KINDS
@pytest.mark.parametrize("kind", ["resnet", "unet"])
@pytest.mark.parametrize("shape", SHAPES)
def test_contract(family, fields, shape, kind):
    sense = toy_sense(**SHAPES[shape], dtype=DOUBLE)
    measurement, _ = toy_measurement(sense, SHAPES[shape].get("frames", 1))
    network, iteration = toy_iteration(family, **OF_NETWORK[shape], kind=kind, **fields)
    check_invertible(iteration, network.start(measurement), measurement)


class Broken:
    """Breaks one rule; all else is said by an iteration that keeps them."""

    def __init__(self, rule, sound):
        self.rule, self.sound = rule, sound
        self.parameters = sound.parameters

    def __call__(self, state, measurement):
        return self.sound(state, measurement)

    def back(self, output, gradient, measurement):
        before, first, weights = self.sound.back(output, gradient, measurement)
        match self.rule:
            case "changes":
                output.zero_()
            case "another input":
                return before * (1 + 1e-6), first, weights
            case "gradient there":
                return before, 2 * first, weights
            case "without a gradient":
                return before, first, weights[1:]
            case "gradient of a weight":
                return before, first, weights[::-1]
        return before, first, weights

    def error_of_inverse(self, error, measurement):
        if self.rule == "larger errors":
            return 1 - error
        return error / 2 if self.rule == "smaller than they were" else error


@pytest.mark.parametrize(
    "rule",
    [
        "changes",
        "another input",
        "gradient there",
        "without a gradient",
        "gradient of a weight",
        "larger errors",
        "smaller than they were",
    ],
)
def test_contract_that_is_broken_is_noticed(rule):
    measurement, _ = toy_measurement(toy_sense(dtype=DOUBLE))
    network, sound = toy_iteration("reversible", coupling=False, kernel=1)
    check_invertible(Broken("", sound), network.start(measurement), measurement)
    with pytest.raises((AssertionError, RuntimeError), match=f"{rule}|size"):
        check_invertible(Broken(rule, sound), network.start(measurement), measurement)


@pytest.mark.parametrize("weight", [0.05, 1.0])
@torch.no_grad()
def test_undoing_the_model_based_step_amplifies_as_said(weight):
    """An error along what was sampled in full comes back (1 + λ) / λ times as large."""
    sense = toy_sense(dtype=DOUBLE)
    sense.mask.fill_(True)
    measurement, _ = toy_measurement(sense)
    fields = {"cg_tolerance": 1e-12, "weight": weight}
    _, iteration = toy_iteration("modl", **fields)
    assert isinstance(iteration, InvertibleModelBased)
    error = _error_of_undoing(iteration, measurement)
    learnt = iteration.weight(measurement)
    assert error == pytest.approx((1 + learnt.min().item()) / learnt.min().item(), rel=0.3)
    said = iteration.error_of_inverse(1.0, measurement)
    assert error <= said * 1.01


@pytest.mark.parametrize("step", [0.1, 0.5, 0.8])
@torch.no_grad()
def test_undoing_the_gradient_step_amplifies_as_said(step):
    sense = toy_sense(dtype=DOUBLE)
    sense.mask.fill_(True)
    measurement, _ = toy_measurement(sense)
    _, iteration = toy_iteration("pgd", step=step)
    assert isinstance(iteration, InvertibleProximalGradient)
    error = _error_of_undoing(iteration, measurement)
    assert error == pytest.approx(1 / (1 - step), rel=0.05)
    assert iteration.error_of_inverse(1.0, measurement) == pytest.approx(1 / (1 - step), rel=1e-4)


def _error_of_undoing(iteration, measurement):
    """How much larger a small error is in the input found than in the output."""
    for weight in iteration.regulariser.parameters():  # it has amplification of its own
        weight.data.zero_()
    after = iteration(measurement.adjoint, measurement)
    change = 1e-6 * noise(*after.shape, seed=9, dtype=DOUBLE)
    change[1:] = 0  # of the example with the least noise, and so the smallest λ
    found, *_ = iteration.back(after + change, torch.zeros_like(after), measurement)
    return ((found - measurement.adjoint).norm() / change.norm()).item()


@pytest.mark.parametrize("step", [0.3, 0.89, 1.0, 5.0])
def test_the_step_starts_as_the_recipe_says_and_stays_below_its_bound(step):
    _, iteration = toy_iteration("pgd", step=step)
    assert iteration.length().item() == pytest.approx(min(step, 0.81), rel=1e-5)
    iteration.step.data += 100
    assert iteration.length().item() <= 0.9
