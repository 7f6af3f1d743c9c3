import pytest
import torch
from toys import toy_measurement, toy_network, toy_sense

from gleam.physics.baselines import cg_sense
from gleam.reconstruction.early_exit import EarlyExit


@pytest.fixture
def measurement():
    return toy_measurement(toy_sense())[0]


@pytest.fixture
def network():
    return toy_network(iterations=6).requires_grad_(False)


@pytest.mark.parametrize("iterations", [1, 4, 6, None])
def test_it_stops_after_so_many_iterations(network, measurement, iterations):
    method = EarlyExit(network, [2, 2, 2], iterations)
    expected = list(network.iterates(measurement))[(iterations or 6) - 1]
    assert torch.equal(method(measurement), expected)
    assert method.used == [iterations or 6]


def test_it_stops_at_the_end_of_the_first_module_that_changes_too_little(network, measurement):
    iterates = [measurement.adjoint, *network.iterates(measurement)]
    changes = [
        max(((b - a).flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)).tolist())
        for a, b in zip(iterates[0:-1:2], iterates[2::2], strict=True)
    ]
    assert changes == sorted(changes, reverse=True)
    for used, bound in [(2, changes[0] * 1.01), (4, changes[1] * 1.01), (6, changes[2] / 2)]:
        method = EarlyExit(network, [2, 2, 2], change=bound)
        assert torch.equal(method(measurement), iterates[used])
        assert method.used == [used]


def test_the_first_module_is_compared_with_the_first_image(measurement):
    network = toy_network(iterations=2, first_image="cg-sense").requires_grad_(False)
    first, after = cg_sense(measurement), next(network.iterates(measurement))

    def change(before):
        return ((after - before).flatten(1).norm(dim=1) / after.flatten(1).norm(dim=1)).max()

    near, far = sorted([change(first), change(measurement.adjoint)])
    assert near < 0.9 * far
    method = EarlyExit(network, [1, 1], change=float(near + far) / 2)
    method(measurement)
    assert method.used == [1 if change(first) == near else 2]


def test_one_example_that_still_changes_keeps_all_going(measurement):
    """The batch stops together, so no image depends on the others but by going on longer."""
    network = toy_network(iterations=4).requires_grad_(False)
    iterates = [measurement.adjoint, *network.iterates(measurement)]
    change = (iterates[2] - iterates[1]).flatten(1).norm(dim=1)
    relative = (change / iterates[2].flatten(1).norm(dim=1)).tolist()
    assert min(relative) < max(relative)
    between = (min(relative) + max(relative)) / 2
    method = EarlyExit(network, [1, 1, 1, 1], change=between)
    method(measurement)
    assert method.used[0] > 2


def test_an_empty_slice_stops_at_once(network):
    measurement, _ = toy_measurement(toy_sense())
    empty = type(measurement)(measurement.sense, torch.zeros_like(measurement.adjoint))
    method = EarlyExit(network, [2, 2, 2], change=0.01)
    assert not method(empty).any()
    assert method.used == [2]
