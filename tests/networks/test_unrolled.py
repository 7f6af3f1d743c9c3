import pytest
import torch
from toys import OF_NETWORK, SHAPES, toy_measurement, toy_network, toy_sense

from gleam.networks import build
from gleam.physics.cg import conjugate_gradients
from gleam.physics.classical import CLASSICAL
from gleam.recipe import NetworkRecipe, RegulariserRecipe

EACH_SHAPE = pytest.mark.parametrize("shape", SHAPES)
SMALL = RegulariserRecipe(width=3, blocks=1)


@torch.no_grad()
def test_untrained_model_based_is_conjugate_gradients_alone():
    measurement, _ = toy_measurement(toy_sense(sets=2))
    network = build(NetworkRecipe(iterations=3, sets=2, cg_steps=4, weight=0.1, regulariser=SMALL))
    sense, image = measurement.sense, measurement.adjoint
    weight = 0.1 * (measurement.noise / 0.05).reshape(-1, 1, 1, 1, 1)
    for _ in range(3):
        residual = measurement.adjoint - sense.normal(image)
        image = image + conjugate_gradients(
            lambda x: sense.normal(x) + weight * x, residual, sense.axes, 4
        )
    assert torch.allclose(network(measurement), image, atol=1e-5)


def toy_data(shape):
    return toy_measurement(toy_sense(**SHAPES[shape]), SHAPES[shape].get("frames", 1))[0]


@EACH_SHAPE
@torch.no_grad()
def test_untrained_proximal_gradient_is_gradient_descent_alone(shape):
    measurement, sets = toy_data(shape), OF_NETWORK[shape].get("sets", 1)
    recipe = NetworkRecipe(family="pgd", iterations=3, step=0.8, sets=sets, regulariser=SMALL)
    network = build(recipe)
    image = measurement.adjoint
    for _ in range(3):
        image = image - 0.8 * (measurement.sense.normal(image) - measurement.adjoint)
    assert torch.allclose(network(measurement), image, atol=1e-5)


@pytest.mark.parametrize("first_image", CLASSICAL)
@pytest.mark.parametrize("network", [{}, {"family": "reversible"}, {"inputs": ("change",)}])
@EACH_SHAPE
@torch.no_grad()
def test_the_first_image_is_the_reconstruction_that_the_recipe_names(shape, network, first_image):
    if first_image in ("temporal-tv", "low-rank") and shape != "2D+t":
        pytest.skip("of series only")
    measurement = toy_data(shape)
    made = toy_network(iterations=1, first_image=first_image, **OF_NETWORK[shape] | network)
    image = CLASSICAL[first_image](measurement)
    assert torch.allclose(made.image(made.first(measurement)), image)
    assert torch.equal(made.start(measurement), made.first(measurement))
    (after,) = made.iterates(measurement)
    expected = made.iterations[0](made.state.of(image), measurement)
    assert torch.equal(after, made.image(expected))


@pytest.mark.parametrize("family", ["modl", "pgd"])
@EACH_SHAPE
@torch.no_grad()
def test_untrained_iterations_approach_the_data(family, shape):
    measurement, sets = toy_data(shape), OF_NETWORK[shape].get("sets", 1)
    sense = measurement.sense
    network = build(NetworkRecipe(family=family, iterations=4, sets=sets, regulariser=SMALL))
    misfits = [
        (sense.normal(x) - measurement.adjoint).norm() for x in network.iterates(measurement)
    ]
    assert misfits == sorted(misfits, reverse=True)


@pytest.mark.parametrize("family", ["modl", "pgd"])
@EACH_SHAPE
@torch.no_grad()
def test_iterates_end_with_the_reconstruction(family, shape):
    measurement = toy_data(shape)
    network = toy_network(family, iterations=3, **OF_NETWORK[shape])
    iterates = list(network.iterates(measurement))
    assert len(iterates) == 3
    assert torch.equal(iterates[-1], network(measurement))
    first = network.iterations[0](measurement.adjoint, measurement)
    assert torch.equal(iterates[0], first)
