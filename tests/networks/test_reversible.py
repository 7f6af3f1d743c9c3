import pytest
import torch
from toys import toy_measurement, toy_network, toy_sense

from gleam.networks import Reversible, build
from gleam.recipe import NetworkRecipe, RegulariserRecipe

SMALL = RegulariserRecipe(width=3, blocks=3)


def test_the_streams_move_each_other_by_data_consistency_and_cnn():
    measurement, _ = toy_measurement(toy_sense(sets=2))
    network = toy_network("reversible", iterations=1, sets=2)
    (iteration,) = network.iterations
    f, g = iteration.coupling.f.iteration, iteration.coupling.g.iteration
    first = second = measurement.adjoint
    first = first + f(second, measurement) - second
    second = second + g(first, measurement) - first
    state = iteration(network.start(measurement), measurement)
    assert torch.allclose(state, torch.cat([first, second], 1), atol=1e-6)
    assert torch.allclose(network(measurement), (first + second) / 2, atol=1e-6)


def test_both_streams_start_at_the_zero_filled_image():
    measurement, _ = toy_measurement(toy_sense(sets=2))
    network = toy_network("reversible", sets=2)
    start = network.start(measurement)
    assert start.shape[1] == 4
    assert torch.equal(network.image(start), measurement.adjoint)


@pytest.mark.parametrize("iterations", [1, 4, 64])
@torch.no_grad()
def test_an_untrained_network_approaches_the_data_at_any_depth(iterations):
    """The steps of all iterations add up to the same length."""
    sense = toy_sense()
    measurement, _ = toy_measurement(sense)
    network = build(NetworkRecipe(family="reversible", iterations=iterations, regulariser=SMALL))
    misfits = [
        (sense.normal(x) - measurement.adjoint).norm() for x in network.iterates(measurement)
    ]
    before = (sense.normal(measurement.adjoint) - measurement.adjoint).norm()
    assert misfits[-1] < 0.7 * before
    steps = [p for p in network.parameters() if p.ndim == 0]
    assert len(steps) == 2 * iterations
    assert sum(steps).item() == pytest.approx(2 * min(3, iterations))


def test_an_iteration_is_as_large_as_in_other_families():
    """Its two networks share the residual blocks; of an odd number one is had twice."""
    fields = {"iterations": 1, "regulariser": RegulariserRecipe(width=32, blocks=2)}
    sizes = {
        family: sum(p.numel() for p in build(NetworkRecipe(family=family, **fields)).parameters())
        for family in ("pgd", "reversible")
    }
    assert sizes["reversible"] == pytest.approx(sizes["pgd"], rel=0.05)
    (iteration,) = build(
        NetworkRecipe(family="reversible", iterations=1, regulariser=SMALL)
    ).iterations
    assert isinstance(iteration, Reversible)
    assert len(iteration.coupling.f.iteration.regulariser.cnn.blocks) == 2
