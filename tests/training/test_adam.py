"""Our Adam against torch's."""

import copy
from typing import Any

import pytest
import torch

from gleam.training.adam import Adam, recordable
from gleam.training.module import GreedyModule
from gleam.training.storage import store


@pytest.mark.parametrize(
    "options", [{"fused": True}, {"foreach": False}, {"fused": True, "lr": torch.tensor(1e-2)}]
)
def test_adam_is_torchs_to_the_bit(options: dict[str, Any]) -> None:
    start = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    optimizers = Adam([ours], **options), torch.optim.Adam([theirs], **options)
    for step in range(4):
        for weight, optimizer in zip((ours, theirs), optimizers, strict=True):
            (weight.sin() * (step + 1)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            assert weight.grad is None
        assert torch.equal(ours, theirs)
    assert not torch.equal(ours, start)


def test_a_state_goes_on_where_it_was() -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = Adam([weight], fused=True)
    weight.grad = torch.ones(3)
    optimizer.step()
    kept, state = weight.detach().clone(), copy.deepcopy(optimizer.state_dict())
    optimizer.step()
    again = torch.nn.Parameter(kept)
    resumed = Adam([again], fused=True)
    resumed.load_state_dict(state)
    again.grad = torch.ones(3)
    resumed.step()
    assert torch.equal(again, weight)


def test_an_update_keeps_no_graph_and_takes_a_closure() -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = Adam([weight])

    def closure() -> torch.Tensor:
        error = (weight**2).sum()
        error.backward()
        return error

    assert optimizer.step(closure).requires_grad
    assert weight.is_leaf
    assert weight.item() < 1


@pytest.mark.parametrize("times", [1.0, 30.0])
def test_single_numbers_may_take_longer_steps(times: float) -> None:
    """Adam's first step is as long as the rate, whatever the gradient."""
    part = torch.nn.Module()
    part.number, part.row = torch.nn.Parameter(torch.zeros(())), torch.nn.Parameter(torch.zeros(3))
    adam = recordable([part.number, part.row], 1.0, times)
    module = GreedyModule(torch.nn.ModuleList([part]), store, adam, lambda step: 1e-3 / (step + 1))
    before = torch.zeros(2)
    for step in range(2):
        module.set_rate(step)
        (part.number + part.row.sum()).backward()
        module.update()
        now = torch.stack([part.number, part.row[0]]).detach()
        moved = torch.tensor([times, 1.0]) * -1e-3 / (step + 1)
        torch.testing.assert_close(now - before, moved, rtol=1e-4, atol=0)
        before = now
    assert {id(weight) for weight in module.weights} == {id(part.number), id(part.row)}


def test_where_all_rates_are_one_there_is_one_group() -> None:
    weights = [torch.nn.Parameter(torch.zeros(())), torch.nn.Parameter(torch.zeros(3))]
    assert len(recordable(weights, 1e-3).param_groups) == 1
    assert len(recordable(weights[1:], 1e-3, 30.0).param_groups) == 1
