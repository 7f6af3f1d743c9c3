import pytest
import torch
from toys import toy_measurement, toy_sense

from gleam.networks import ModelBased, ProximalGradient, build
from gleam.recipe import NetworkRecipe, RegulariserRecipe

SMALL = RegulariserRecipe(width=3, blocks=1)
RECIPE = NetworkRecipe(iterations=3, regulariser=SMALL)


def weights(network):
    return network.state_dict()


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_weights_are_a_function_of_recipe_and_seed():
    torch.manual_seed(1)
    one = weights(build(RECIPE, seed=5))
    torch.manual_seed(2)
    assert same(one, weights(build(RECIPE, seed=5)))
    assert not same(one, weights(build(RECIPE, seed=6)))


def test_the_global_random_state_is_left_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("seeded the GPU"))
    before = torch.get_rng_state()
    build(RECIPE)
    assert torch.equal(torch.get_rng_state(), before)


def test_iterations_differ_and_do_not_depend_on_the_depth():
    network = build(RECIPE)
    first, second = (it.regulariser.cnn.first.weight for it in network.iterations[:2])
    assert not torch.equal(first, second)
    deeper = build(RECIPE.model_copy(update={"iterations": 5}))
    for one, other in zip(network.iterations, deeper.iterations, strict=False):
        assert same(weights(one), weights(other))


@pytest.mark.parametrize("sets", [1, 2])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_regulariser_is_the_recipes(sets, dimensions):
    regulariser = RegulariserRecipe(width=6, blocks=3, kernel=5, dimensions=dimensions, bf16=True)
    network = build(NetworkRecipe(iterations=1, sets=sets, regulariser=regulariser))
    built = network.iterations[0].regulariser
    assert built.bf16
    assert built.dimensions == dimensions
    assert built.cnn.first.weight.shape == (6, 2 * sets) + (5,) * dimensions
    assert built.cnn.last.weight.shape == (2 * sets, 6) + (5,) * dimensions
    assert len(built.cnn.blocks) == 3


@pytest.mark.parametrize("family", ["modl", "pgd"])
@pytest.mark.parametrize("inputs", [(), ("gradient",), ("change",), ("gradient", "change")])
def test_the_cnn_takes_what_it_is_shown(family, inputs):
    regulariser = RegulariserRecipe(width=6, blocks=1, inputs=inputs)
    network = build(NetworkRecipe(family=family, iterations=1, sets=2, regulariser=regulariser))
    weights_of = network.state_dict()
    (first,) = [value for name, value in weights_of.items() if name.endswith("first.weight")]
    (last,) = [value for name, value in weights_of.items() if name.endswith("last.weight")]
    assert first.shape == (6, 4 * (1 + len(inputs)), 3, 3)
    assert last.shape == (4, 6, 3, 3)


def test_modl_is_the_recipes():
    fields = {"weight": 0.3, "cg_steps": 7, "cg_tolerance": 1e-3}
    (iteration,) = build(NetworkRecipe(iterations=1, regulariser=SMALL, **fields)).iterations
    assert isinstance(iteration, ModelBased)
    assert iteration.log_weight.exp().item() == pytest.approx(0.3)
    assert (iteration.steps, iteration.tolerance) == (7, 1e-3)


def test_pgd_is_the_recipes():
    recipe = NetworkRecipe(family="pgd", iterations=1, step=0.7, regulariser=SMALL)
    (iteration,) = build(recipe).iterations
    assert isinstance(iteration, ProximalGradient)
    assert iteration.step.item() == pytest.approx(0.7)


@pytest.mark.parametrize("family", ["modl", "pgd"])
@pytest.mark.parametrize(
    ("space", "frames", "dimensions"),
    [((8, 9), 1, 2), ((8, 9), 3, 2), ((8, 9), 3, 3), ((4, 8, 9), 1, 2), ((4, 8, 9), 1, 3)],
)
@torch.no_grad()
def test_every_dimension_is_reconstructed(family, space, frames, dimensions):
    measurement, target = toy_measurement(toy_sense(space, frames=frames, sets=2), frames)
    regulariser = RegulariserRecipe(width=3, blocks=1, dimensions=dimensions)
    network = build(NetworkRecipe(family=family, iterations=2, sets=2, regulariser=regulariser))
    image = network(measurement)
    assert image.shape == target.shape
    assert image.dtype == torch.complex64
    assert (image - target).norm() < (measurement.adjoint - target).norm()
