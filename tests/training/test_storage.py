import warnings
from functools import partial

import pytest
import torch
from toys import OF_NETWORK, SHAPES, toy_measurement, toy_network, toy_sense

from gleam.networks.regulariser import Convolved
from gleam.training import storage as storages
from gleam.training.loss import l1
from gleam.training.meter import metered
from gleam.training.storage import STORAGES, invert, offload, recompute, store


def value_and_gradients(storage, network, measurement, target):
    state = network.start(measurement).clone().requires_grad_()
    output = storage(list(network.iterations), state, measurement)
    inputs = [state, *network.parameters()]
    loss = l1(network.image(output), target)
    return [output.detach(), *torch.autograd.grad(loss, inputs)]


FAMILIES = ("modl", "pgd", "reversible")


EXACT = {"cg_tolerance": 1e-12, "weight": 0.5}  # solved, and inverted, to double precision
CASES = [
    *((storage, family, {}) for storage in ("checkpoint", "offload") for family in FAMILIES),
    ("invert", "reversible", {}),
    ("invert", "modl", {"coupling": True, **EXACT}),
    ("invert", "pgd", {"coupling": True, "step": 0.5}),
    ("checkpoint", "modl", {"kind": "unet"}),
    ("offload", "pgd", {"kind": "unet", "circular": True}),
    ("invert", "reversible", {"circular": True}),
    ("invert", "pgd", {"coupling": True, "step": 0.5, "kind": "unet"}),
]
# Frames are periodic; a slice has none, and those of a volume are apart.
FITTING = [
    (shape, *case)
    for case in CASES
    for shape in SHAPES
    if shape == "2D+t" or "circular" not in case[2]
]


def chosen(storage, folder):
    """The storage of this name; activations that are offloaded go to a file."""
    return partial(offload, folder=folder) if storage == "offload" else STORAGES[storage]


def toy_problem(family, iterations, dtype=torch.complex64, shape="2D", **fields):
    """(network, measurement, target)."""
    of_sense = SHAPES[shape]
    sense = toy_sense(**of_sense, dtype=dtype)
    measurement, target = toy_measurement(sense, of_sense.get("frames", 1))
    network = toy_network(family, iterations, **OF_NETWORK[shape], **fields)
    return network.double() if dtype == torch.complex128 else network, measurement, target


def worst(some, others):
    """The largest relative difference."""
    return max(((a - b).norm() / b.norm()).item() for a, b in zip(some, others, strict=True))


def test_every_storage_has_its_case():
    assert {"store", *(storage for storage, *_ in CASES)} == set(STORAGES)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.complex64, 1e-6), (torch.complex128, 1e-12)]
)
@pytest.mark.parametrize(("shape", "storage", "family", "fields"), FITTING, ids=str)
@pytest.mark.parametrize("iterations", [1, 4])
def test_every_storage_has_the_value_and_gradient_of_store(
    shape, storage, family, fields, iterations, dtype, tolerance, tmp_path
):
    if storage == "invert":
        tolerance *= 1000 if family == "reversible" else 10_000
        if dtype == torch.complex64 and "cg_tolerance" in fields:
            fields = fields | {"cg_tolerance": 1e-6}
    problem = toy_problem(family, iterations, dtype, shape, **fields)
    expected = value_and_gradients(store, *problem)
    assert all(gradient.any() for gradient in expected)
    assert worst(value_and_gradients(chosen(storage, tmp_path), *problem), expected) <= tolerance


PATCHED = [
    ("checkpoint", "modl", {}),
    ("offload", "pgd", {}),
    ("invert", "reversible", {}),
    ("invert", "pgd", {"coupling": True, "step": 0.5}),
]


@pytest.mark.parametrize(("storage", "family", "fields"), PATCHED, ids=str)
def test_in_patches_too(storage, family, fields, tmp_path):
    network, *given = toy_problem(family, 3, torch.complex128, patch=(5, 6), **fields)
    found = value_and_gradients(chosen(storage, tmp_path), network, *given)
    for module in network.modules():
        if isinstance(module, Convolved):
            module.patch = None
    tolerance = 1e-9 if storage == "invert" else 1e-12
    assert worst(found, value_and_gradients(store, network, *given)) <= tolerance


@pytest.mark.parametrize("family", ["modl", "pgd"])
def test_store_is_the_network(family):
    measurement, _ = toy_measurement(toy_sense())
    network = toy_network(family, iterations=3)
    state = store(list(network.iterations), network.start(measurement), measurement)
    assert torch.equal(network.image(state), network(measurement))


def test_checkpoint_computes_all_but_the_last_iteration_again():
    measurement, target = toy_measurement(toy_sense())
    network = toy_network(iterations=3)
    calls = [0, 0, 0]
    for k, iteration in enumerate(network.iterations):

        def count(*_, k=k):
            calls[k] += 1

        iteration.register_forward_pre_hook(count)
    value_and_gradients(recompute, network, measurement, target)
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
    growth = (peak(recompute, 12) - peak(recompute, 6)) / 6
    assert growth <= measurement.adjoint.nbytes + 2 * weights
    assert peak(recompute, 6) < 0.6 * peak(store, 6)


def test_anchors_keep_the_error_of_inversion_small_and_where_it_is_not_a_warning_is_given(
    monkeypatch,
):
    """λ = 0.1 amplifies errors elevenfold at every step, so some images must be kept."""
    fields = {"coupling": True, "cg_tolerance": 1e-6, "weight": 0.1}
    problem = toy_problem("modl", 16, **fields)
    expected = value_and_gradients(store, *problem)
    assert worst(value_and_gradients(invert, *problem), expected) < 1e-3
    monkeypatch.setattr(storages, "_anchored", lambda *_: {1})  # one, to see the error by
    with pytest.warns(RuntimeWarning, match="an inverted image is off by"):
        value_and_gradients(invert, *problem)


class Amplifying:
    """As an iteration that makes errors so many times as large where it is undone."""

    def __init__(self, factor):
        self.factor = factor

    def back(self, output, gradient, measurement):
        raise NotImplementedError

    def error_of_inverse(self, error, *_):
        return self.factor * error


@pytest.mark.parametrize(("factor", "apart"), [(10.0, 3), (2.0, 13), (1.0, 99)])
def test_anchors_are_as_far_apart_as_a_thousandth_allows(factor, apart):
    """From 1e-7 on, errors may grow 10⁴-fold: by 10 per iteration, that is the 4th's input."""
    chain = [Amplifying(factor)] * 30
    kept = storages._anchored(chain, (), 1e-7 * 1.01)
    assert kept == set(range(30 - apart, 0, -apart))
    error = 1e-7
    for k in reversed(range(30)):
        error = chain[k].error_of_inverse(error)
        assert error < 1e-3
        error = 1e-7 if k in kept else error


@pytest.mark.parametrize(("off", "warned"), [(0.009, False), (0.011, True)])
def test_a_hundredth_is_too_much_for_an_inverted_image(off, warned):
    image = torch.ones(4, dtype=torch.complex64)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        storages._check(image * (1 + off), image)
    assert [str(one.message).split(",")[0] for one in said] == (
        ["an inverted image is off by 0.01"] if warned else []
    )


@pytest.mark.parametrize("iterations", [1, 8, 32, 64])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.complex64, 1e-4), (torch.complex128, 1e-9)]
)
def test_reversible_iterations_are_inverted_exactly_at_any_depth(iterations, dtype, tolerance):
    problem = toy_problem("reversible", iterations, dtype)
    expected = value_and_gradients(store, *problem)
    assert worst(value_and_gradients(invert, *problem), expected) <= tolerance
