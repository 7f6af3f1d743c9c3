import pytest
import torch
from toys import toy_measurement, toy_network, toy_sense

from gleam.networks import Momentum, build
from gleam.recipe import NetworkRecipe, RegulariserRecipe


def toy_problem(**fields):
    measurement, _ = toy_measurement(toy_sense(sets=2))
    return toy_network(iterations=3, sets=2, inputs=("change",), **fields), measurement


@pytest.mark.parametrize("family", ["modl", "pgd"])
@torch.no_grad()
def test_an_iteration_sees_what_the_one_before_did(family):
    network, measurement = toy_problem(family=family)
    image, before = measurement.adjoint, measurement.adjoint
    for number, after in enumerate(network.iterates(measurement)):
        inner = network.iterations[number].iteration
        expected = inner(image, measurement, image - before)
        assert torch.allclose(after, expected, atol=1e-6)
        image, before = expected, image
    without = inner(image, measurement, torch.zeros_like(image))
    assert not torch.allclose(without, inner(image, measurement, image - before), atol=1e-4)


@torch.no_grad()
def test_the_first_iteration_sees_no_change():
    network, measurement = toy_problem(family="pgd")
    start = network.start(measurement)
    assert start.shape[1] == 4
    assert torch.equal(network.image(start), measurement.adjoint)
    assert not start[:, 2:].any()


@pytest.mark.parametrize("family", ["modl", "pgd"])
@torch.no_grad()
def test_untrained_it_is_the_physics_alone(family):
    measurement, _ = toy_measurement(toy_sense())
    images = []
    for inputs in [(), ("change", "gradient")]:
        regulariser = RegulariserRecipe(width=3, blocks=1, inputs=inputs)
        network = build(NetworkRecipe(family=family, iterations=3, regulariser=regulariser))
        images.append(network(measurement))
    assert isinstance(network.iterations[0], Momentum)
    assert torch.equal(*images)
