"""Every storage keeps the contract of `Storage`: it changes no value and no gradient."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toys import toy_measurement, toy_network, toy_sense

from gleam.training.storage import STORAGES, Storage, offload, store


def check_storage(storage: Storage) -> None:
    """Whether it runs iterations as if they were called one after the other."""
    measurement, _ = toy_measurement(toy_sense())
    network = toy_network("reversible", iterations=3)
    iterations, weights = list(network.iterations), list(network.parameters())
    first = network.start(measurement)

    def run(how: Storage) -> tuple[Tensor, list[Tensor | None]]:
        state = first.clone().requires_grad_()
        output = how(iterations, state, measurement)
        assert torch.equal(state, first), "changes the state that it is given"
        assert output.requires_grad, "no gradient comes through"
        loss = (output.abs() ** 3).sum()
        inputs = [state, *weights]
        return output.detach(), [*torch.autograd.grad(loss, inputs, allow_unused=True)]

    expected, gradients = run(store)
    output, own = run(storage)
    assert torch.equal(output, expected), "changes a value"
    assert own[0] is not None, "the state before has no gradient"
    assert all(gradient is not None for gradient in own), "a weight has no gradient"
    errors = [float((a - b).norm() / b.norm()) for a, b in zip(own, gradients, strict=True)]
    assert max(errors) < 1e-3, "another gradient"
    again = run(storage)
    assert torch.equal(again[0], output), "another time it is other"
    with torch.no_grad():
        silent = storage(iterations, first, measurement)
    assert torch.equal(silent, expected), "changes a value where no gradient is wanted"
    assert not silent.requires_grad, "keeps what nobody wants"


@pytest.mark.parametrize("name", STORAGES)
def test_contract(name: str) -> None:
    check_storage(STORAGES[name])


def test_contract_of_a_file(tmp_path: Path) -> None:
    check_storage(partial(offload, folder=tmp_path))


class Broken:
    """Breaks one rule."""

    def __init__(self, rule: str) -> None:
        self.rule, self.calls = rule, 0

    def __call__(self, iterations: Sequence[nn.Module], state: Tensor, *given: Any) -> Tensor:
        self.calls += 1
        if self.rule == "changes the state":
            state.data.mul_(2)
        if self.rule == "the state before":
            state = state.detach()
        output: Tensor = store(iterations, state, *given)
        if self.rule == "no gradient comes through":
            return output.detach()
        if self.rule == "a weight":
            first = store(iterations[:1], state, *given).detach()
            return store(iterations[1:], first + 0 * state, *given)
        if self.rule == "another gradient":
            return output + 0.1 * (output - output.detach())
        if self.rule == "another time":
            return output * (1 + (self.calls > 1))
        if self.rule == "where no gradient" and not torch.is_grad_enabled():
            return output * 2
        if self.rule == "keeps what nobody wants" and not torch.is_grad_enabled():
            return output.requires_grad_()
        return output * (2 if self.rule == "changes a value" else 1)


RULES = [
    "changes the state",
    "no gradient comes through",
    "changes a value",
    "the state before",
    "a weight",
    "another gradient",
    "another time",
    "where no gradient",
    "keeps what nobody wants",
]


@pytest.mark.parametrize("rule", ["", *RULES])
def test_contract_that_is_broken_is_noticed(rule: str) -> None:
    if not rule:
        check_storage(Broken(rule))
        return
    with pytest.raises(AssertionError, match=rule):
        check_storage(Broken(rule))
