"""Our Adam against torch's."""

import copy
from typing import Any

import pytest
import torch

from gleam.training.adam import Adam


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
