"""Wherever idle tensors lie keeps the contract of `Lodging`; every module's turn that of `Turn`."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
import torch
from streams import Streams, install
from torch import Tensor, nn

from gleam.training.greedy import greedy
from gleam.training.homes import Fetched, Lodging, Mapped
from gleam.training.idle import Idle
from gleam.training.turn import STAYS, Turn

CPU = torch.device("cpu")


def check_lodging(lodging: Lodging) -> None:
    """Whether tensors come and go as they are, and stay what they are to whoever holds them."""
    assert isinstance(lodging, Lodging)
    weight = nn.Parameter(torch.arange(600.0).reshape(2, 300))
    turned = torch.arange(12).reshape(3, 4).T  # axes in memory in another order
    held: list[Tensor] = [weight, turned, torch.tensor(0.5)]
    expected = [one.detach().clone() for one in held]
    strides = [one.stride() for one in held]

    def compare(said: str) -> None:
        for one, other, stride in zip(held, expected, strides, strict=True):
            assert torch.equal(one.detach(), other), said
            assert one.stride() == stride, "moves axes"
        assert held[0] is weight, "makes others"
        assert weight.requires_grad, "makes a weight a constant"

    lodging.send(held)
    lodging.settle()
    compare("loses values when it sends")
    for number in range(3):
        lodging.expect(held)
        lodging.bring(held)
        compare("brings others")
        if number == 1:  # worked on
            for one, other in zip(held, expected, strict=True):
                one.data.mul_(2)
                other.mul_(2)
            lodging.send(held)
        else:
            lodging.leave(held)
        lodging.settle()
        compare("has others at home")
    lodging.bring(held[:1])
    held[0].data.add_(1)
    expected[0].add_(1)
    lodging.send(held[:1])
    lodging.expect(held)
    lodging.bring(held)
    compare("mixes up one and all")


def check_turn(turn: Turn, others: Sequence[Turn], blocks: nn.Module) -> None:
    """Whether what is done in a turn is there when it has ended, and in the next."""
    assert isinstance(turn, Turn)
    expected = [weight.detach().clone() for weight in blocks.parameters()]
    for _ in range(3):
        turn.begin()
        with torch.no_grad():
            for weight, other in zip(blocks.parameters(), expected, strict=True):
                assert torch.equal(weight, other), "begins with others"
                weight += 1
                other += 1
        turn.end()
        for other in others:
            other.begin()
            other.end()
        turn.begin()
        for weight, other in zip(blocks.parameters(), expected, strict=True):
            assert torch.equal(weight, other), "ends with others"
        turn.leave()
        turn.settle()
        for weight, other in zip(blocks.parameters(), expected, strict=True):
            assert torch.equal(weight, other), "ends with others"


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[Streams]:
    made = install(monkeypatch)
    with made:
        yield made


def test_contract_of_files(tmp_path: Path) -> None:
    check_lodging(Mapped(tmp_path))


def test_contract_beside_a_gpu(streams: Streams) -> None:
    check_lodging(Fetched(CPU, None))


def modules_of(idle: Idle | None) -> list[tuple[Turn, nn.Module]]:
    blocks = [nn.Linear(3, 4), nn.Linear(4, 2)]
    if idle is not None:
        blocks = [idle.take(block) for block in blocks]
    made = greedy(blocks, 2, optimizer=partial(torch.optim.SGD, lr=0.1))
    made = idle.turns(made) if idle else made
    return [(module.turn, module.iterations) for module in made]


@pytest.mark.parametrize("where", ["stays", "file"])
def test_contract_of_turns(where: str, tmp_path: Path) -> None:
    (one, blocks), (other, _) = modules_of(Idle(CPU, tmp_path) if where == "file" else None)
    assert one.stays == (one is STAYS) == (where == "stays")
    check_turn(one, [other], blocks)


class Broken(Mapped):
    """Breaks one rule."""

    def __init__(self, rule: str, folder: Path) -> None:
        super().__init__(folder)
        self.rule = rule

    def send(self, tensors: Sequence[Tensor]) -> None:
        super().send(tensors)
        if self.rule == "loses values":
            tensors[0].data.zero_()
        if self.rule == "moves axes":
            tensors[1].data = tensors[1].contiguous()
        if self.rule == "a constant":
            tensors[0].requires_grad_(False)

    def bring(self, tensors: Sequence[Tensor]) -> None:
        if self.rule == "brings others":
            tensors[0].data.add_(1)

    def leave(self, tensors: Sequence[Tensor]) -> None:
        if self.rule == "at home":
            tensors[0].data.add_(1)


@pytest.mark.parametrize(
    "rule", ["loses values", "moves axes", "a constant", "brings others", "at home"]
)
def test_contract_that_is_broken_is_noticed(rule: str, tmp_path: Path) -> None:
    said = "loses values" if rule == "at home" else rule  # what is sent is left there, too
    with pytest.raises(AssertionError, match=said):
        check_lodging(Broken(rule, tmp_path))
