from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from toys import EACH_SHAPE, cut, systems, toy_image, toy_measurement, toy_sense

from gleam.networks.consistency import ModelBased, ProximalGradient, gradient
from gleam.networks.regulariser import Regulariser

DOUBLE = torch.complex128


def doubling():
    """R(x) = 2 x."""
    return Regulariser(nn.Hardtanh(-100, 100), 2)


def toy_problem(shape):
    sense = toy_sense(**shape, dtype=DOUBLE)
    frames = shape.get("frames", 1)
    measurement = replace(toy_measurement(sense, frames)[0], noise=None)  # so λ is as given
    return measurement, toy_image(sense, frames, seed=5)


@EACH_SHAPE
def test_model_based_finds_the_minimiser(shape):
    """At the minimum of ‖A x − y‖² + λ ‖x − z‖² the gradient is zero."""
    measurement, image = toy_problem(shape)
    x = ModelBased(doubling(), weight=0.2, steps=200)(image, measurement).detach()
    gradient = measurement.sense.normal(x) - measurement.adjoint + 0.2 * (x - 2 * image)
    assert gradient.norm() < 1e-6 * image.norm()  # λ itself is kept in single precision


@EACH_SHAPE
@pytest.mark.parametrize("steps", [1, 4])
def test_model_based_starts_at_the_regularised_image(shape, steps):
    """After n steps x − z is the best in the n-th Krylov space of Aᴴy − AᴴA z, of each system."""
    measurement, image = toy_problem(shape)
    normal, z = measurement.sense.normal, 2 * image
    x = ModelBased(doubling(), weight=0.2, steps=steps)(image, measurement).detach()
    residual = measurement.adjoint - normal(z)
    krylov = [residual]
    for _ in range(steps - 1):
        krylov.append(normal(krylov[-1]))
    images = [normal(v) + 0.2 * v for v in krylov]
    for some in systems(image, measurement.sense.axes):
        basis, image = (
            np.stack([v.flatten()[some].numpy() for v in vectors], 1)
            for vectors in (krylov, images)
        )
        best = np.linalg.solve(basis.conj().T @ image, basis.conj().T @ basis[:, 0])
        assert np.abs((x - z).flatten()[some].numpy() - basis @ best).max() < 1e-5


@pytest.mark.parametrize("tolerance", [None, 1e-5], ids=["steps", "tolerance"])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ({"space": (32, 24)}, -2),
        ({"space": (32, 24), "axes": (-2,), "frames": 3, "sets": 2}, -1),
        ({"space": (12, 16, 18), "axes": (-2, -1)}, -3),
        ({"space": (12, 16, 18), "axes": (-3, -2)}, -1),
    ],
    ids=["2D", "2D+t", "3D, z", "3D, x"],
)
def test_to_solve_a_part_of_the_readout_is_to_cut_the_solution(shape, axis, tolerance):
    """Also its gradient, in single precision; the parts' gradients of λ add up."""
    frames = shape.get("frames", 1)
    measurement, image = toy_measurement(toy_sense(**shape, coils=4), frames)
    iteration = ModelBased(nn.Identity(), weight=0.05, steps=5, tolerance=tolerance)
    own = [iteration.log_weight, iteration.noise_power]

    def result(measurement, image):
        image = image.clone().requires_grad_()
        x = iteration(image, measurement)
        found, *of_own = torch.autograd.grad(x.abs().square().sum(), [image, *own])
        return x.detach(), found, torch.stack(of_own)

    *whole, of_own = result(measurement, image)
    half = image.shape[axis] // 2
    parts = [
        result(cut(measurement, axis, first, half), image.narrow(axis, first, half))
        for first in (0, half)
    ]
    for number, other in enumerate(whole):
        one = torch.cat([part[number] for part in parts], axis)
        assert (one - other).abs().max() < 1e-5 * other.abs().max()
    assert (parts[0][2] + parts[1][2] - of_own).norm() < 1e-5 * of_own.norm()


def test_solving_to_a_tolerance_is_solving_with_many_steps():
    measurement, image = toy_problem({})
    gradients = []
    for settings in [{"steps": 80}, {"steps": 1, "tolerance": 1e-12}]:
        iteration = ModelBased(doubling(), 0.2, **settings)
        x = image.clone().requires_grad_()
        result = iteration(x, measurement)
        gradients.append(
            [result.detach(), *torch.autograd.grad(result.abs().sum(), (x, iteration.log_weight))]
        )
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, rtol=1e-6, atol=1e-9)


@EACH_SHAPE
def test_proximal_gradient_is_a_step_down_and_then_the_regulariser(shape):
    measurement, image = toy_problem(shape)
    gradient = measurement.sense.normal(image) - measurement.adjoint
    iteration = ProximalGradient(doubling(), step=0.5)
    assert torch.allclose(iteration(image, measurement), 2 * (image - 0.5 * gradient))


@pytest.mark.parametrize(
    ("iteration", "name"),
    [(ModelBased(doubling(), 0.2, 3), "log_weight"), (ProximalGradient(doubling(), 0.5), "step")],
    ids=["λ", "μ"],
)
def test_weight_and_step_are_learnt(iteration, name):
    """Their gradient is that of finite differences."""
    measurement, image = toy_problem({})
    iteration = iteration.double()
    parameter = dict(iteration.named_parameters())[name]

    def value(change=0.0):
        with torch.no_grad():
            parameter.add_(change)
        result = iteration(image, measurement).abs().sum()
        with torch.no_grad():
            parameter.sub_(change)
        return result

    (gradient,) = torch.autograd.grad(value(), parameter)
    expected = (value(1e-5) - value(-1e-5)) / 2e-5
    assert abs(gradient - expected) < 1e-6 * abs(expected)


def test_the_noisier_the_scan_the_less_its_data_are_trusted():
    """λ = exp(a) · (σ / 0.05)ᵇ with b = 1 at the start, for each example by itself."""
    measurement, image = toy_problem({})
    levels = torch.tensor([0.05, 0.2], dtype=torch.float64)
    noisy = replace(measurement, noise=levels)
    iteration = ModelBased(doubling(), weight=0.1, steps=200).double()
    found = iteration(image, noisy)
    for k, weight in enumerate([0.1, 0.4]):
        expected = ModelBased(doubling(), weight, steps=200).double()(image, measurement)
        assert torch.allclose(found[k], expected[k], atol=1e-6)
    found.abs().sum().backward()
    assert iteration.noise_power.grad != 0


def test_noise_beyond_a_hundredfold_of_the_usual_counts_as_that():
    """A silent scan keeps some weight, and gradients that are finite."""
    measurement, image = toy_problem({})
    iteration = ModelBased(doubling(), weight=0.1, steps=5)
    for levels, factors in (([0.0, 1e-9], [0.01, 0.01]), ([1e3, 2.5], [100.0, 50.0])):
        noisy = replace(measurement, noise=torch.tensor(levels, dtype=torch.float64))
        weight = iteration.weight(noisy)
        assert weight.tolist() == pytest.approx([0.1 * factor for factor in factors], rel=1e-5)
        iteration.zero_grad()
        iteration(image, noisy).abs().sum().backward()
        assert iteration.noise_power.grad.isfinite()
        assert iteration.noise_power.grad != 0


def test_unknown_noise_is_taken_for_the_usual():
    measurement, image = toy_problem({})
    unknown = replace(measurement, noise=torch.tensor([torch.nan, 0.2]))
    usual = replace(measurement, noise=torch.tensor([0.05, 0.2]))
    iteration = ModelBased(doubling(), weight=0.1, steps=5)
    assert torch.equal(iteration(image, unknown), iteration(image, usual))
    iteration(image, unknown).abs().sum().backward()
    assert iteration.noise_power.grad.isfinite()


class Watching(nn.Module):
    """Changes nothing, and remembers what it was shown."""

    def forward(self, image, *others):
        self.shown = (image, *others)
        return image


@EACH_SHAPE
@pytest.mark.parametrize("family", [ModelBased, ProximalGradient])
def test_the_regulariser_is_shown_the_gradient_first_and_then_the_others(family, shape):
    measurement, image = toy_problem(shape)
    settings = (0.2, 3, None) if family is ModelBased else (0.5,)
    watching = Watching()
    family(watching, *settings, gradient_input=True)(image, measurement, -image)
    own, first, second = watching.shown
    expected = measurement.sense.normal(image) - measurement.adjoint
    moved = image if family is ModelBased else image - 0.5 * expected
    assert torch.allclose(own, moved)
    assert torch.allclose(first, expected)
    assert torch.equal(second, -image)
    assert torch.allclose(gradient(image, measurement), expected)
    family(watching, *settings)(image, measurement)
    assert len(watching.shown) == 1
