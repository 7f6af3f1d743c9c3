from functools import partial

import pytest
import torch
from toys import toy_measurement, toy_network, toy_sense

from gleam.training.loss import l1
from gleam.training.meter import metered
from gleam.training.storage import STORAGES, checkpoint, store


def value_and_gradients(storage, network, measurement, target):
    image = measurement.adjoint.clone().requires_grad_()
    output = storage(list(network.iterations), image, measurement)
    inputs = [image, *network.parameters()]
    return [output.detach(), *torch.autograd.grad(l1(output, target), inputs)]


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
@pytest.mark.parametrize("family", ["modl", "pgd"])
@pytest.mark.parametrize("iterations", [1, 4])
def test_every_storage_has_the_value_and_gradient_of_store(family, iterations, dtype):
    measurement, target = toy_measurement(toy_sense(frames=2, dtype=dtype), 2)
    network = toy_network(family, iterations, dimensions=3)
    network = network.double() if dtype == torch.complex128 else network
    tolerance = 1e-12 if dtype == torch.complex128 else 1e-6
    expected = value_and_gradients(store, network, measurement, target)
    assert all(gradient.any() for gradient in expected)
    for storage in STORAGES.values():
        for one, other in zip(
            value_and_gradients(storage, network, measurement, target), expected, strict=True
        ):
            assert (one - other).norm() <= tolerance * other.norm()


@pytest.mark.parametrize("family", ["modl", "pgd"])
def test_store_is_the_network(family):
    measurement, _ = toy_measurement(toy_sense())
    network = toy_network(family, iterations=3)
    image = store(list(network.iterations), measurement.adjoint, measurement)
    assert torch.equal(image, network(measurement))


def test_checkpoint_computes_all_but_the_last_iteration_again():
    measurement, target = toy_measurement(toy_sense())
    network = toy_network(iterations=3)
    calls = [0, 0, 0]
    for k, iteration in enumerate(network.iterations):

        def count(*_, k=k):
            calls[k] += 1

        iteration.register_forward_pre_hook(count)
    value_and_gradients(checkpoint, network, measurement, target)
    assert calls == [2, 2, 1]


@pytest.mark.parametrize("family", ["modl", "pgd"])
def test_checkpoint_keeps_one_image_per_iteration(family):
    measurement, target = toy_measurement(toy_sense((24, 24)))

    def peak(storage, iterations):
        # 1×1 convolutions, for which no CPU takes scratch memory.
        network = toy_network(family, iterations, kernel=1, cg_steps=2)
        work = partial(value_and_gradients, storage, network, measurement, target)
        return metered(work, measurement.adjoint.device)[1]

    weights = sum(p.nbytes for p in toy_network(family, 1, kernel=1).parameters())
    growth = (peak(checkpoint, 12) - peak(checkpoint, 6)) / 6
    assert growth <= measurement.adjoint.nbytes + 2 * weights
    assert peak(checkpoint, 6) < 0.6 * peak(store, 6)
