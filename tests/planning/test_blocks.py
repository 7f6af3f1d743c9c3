from functools import partial

import pytest
import torch
from torch import nn

from gleam.errors import BadInput
from gleam.planning.blocks import footprint_of_blocks
from gleam.training.flow import train_step
from gleam.training.greedy import greedy
from gleam.training.meter import metered, state_bytes

X = torch.zeros(1, 4, 24, 24)


class Block(nn.Module):
    """Takes a state of two, and one thing besides."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())

    def forward(self, state, weight):
        image, memory = state
        return image + weight * self.layer(image), memory + 1


def loss(state, target):
    return (state[0] - target).square().mean()


@pytest.mark.parametrize(
    "how",
    [
        {"modules": 1},
        {"modules": 3},
        {"modules": 3, "overlap": 1},
        {"modules": 1, "storage": "checkpoint"},
        {"modules": 2, "optimizer": partial(torch.optim.SGD, lr=0.1, momentum=0.9)},
    ],
    ids=str,
)
def test_of_any_network(how, cpu):
    blocks = [Block() for _ in range(6)]
    target = torch.ones_like(X)
    found = footprint_of_blocks(
        blocks, ((X, torch.zeros(1)), torch.ones(1)), cpu, loss=loss, target=target, **how
    )
    slack = 6 * 5056 if "storage" in how else 0  # checkpoints keep random states, not on a device
    overlap = how.pop("overlap", 0)
    modules = greedy(blocks, how.pop("modules"), **{"optimizer": torch.optim.Adam} | how)

    def step():
        train_step(modules, (X, torch.zeros(1)), torch.ones(1), target, loss, 0, overlap)

    step()
    _, peak = metered(step, torch.device("cpu"))
    assert found.parameters + found.optimizer == state_bytes(modules)
    assert found.metered == pytest.approx(peak + state_bytes(modules), rel=0.01, abs=slack)
    assert found.data == 2 * X.nbytes + 8


def test_weights_stay_as_they_are(cpu):
    layers = nn.ModuleList(nn.Conv2d(4, 4, 3) for _ in range(2))
    before = [weight.clone() for weight in layers.parameters()]
    footprint_of_blocks(layers, X, cpu)
    assert all(torch.equal(a, b) for a, b in zip(before, layers.parameters(), strict=True))
    assert all(weight.grad is None for weight in layers.parameters())


def test_blocks_that_go_by_numbers_that_nobody_computes(cpu):
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return self.weight * x[x > 0]

    with pytest.raises(BadInput, match="depends on values"):
        footprint_of_blocks([Counts()], X, cpu)
