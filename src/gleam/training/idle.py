"""Idle modules, which are not at work: they lie in host memory, or in a file.

Greedy modules learn one after the other, so weights, gradients and optimizer states are wanted of
one of them at a time. On a GPU a module is fetched for its turn, beside what the one before
computes, and goes back after its update. On a CPU it lies in host memory anyway, so only a file
makes a difference there: tensors are mapped from it, and never move; the system is told which of
them are wanted next and which no longer.

A module at rest is whole: once a step has ended, whoever reads its weights finds those of its last
update.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gleam.training.homes import Fetched, Lodging, Mapped
from gleam.training.module import GreedyModule
from gleam.training.offload import on_gpu


class Idle:
    """Takes blocks in, as soon as they are made, and lets them out for their turns.

    A block that is called when it has no turn, as in validation or where it is frozen, comes for
    that call.

    Args:
        device: where blocks compute.
        folder: where to make files, which have no name and are gone with the blocks; None for host
            memory.
    """

    def __init__(self, device: torch.device, folder: Path | None = None) -> None:
        self.device = device
        self.lodging: Lodging = Fetched(device, folder) if on_gpu(device) else Mapped(folder)
        self._working: set[int] = set()

    def take(self, block: nn.Module) -> nn.Module:
        """Have a block lie at home."""
        self.lodging.send(_weights(block))
        self.lodging.settle()
        block.register_forward_pre_hook(self._call)
        block.register_forward_hook(self._called)
        return block

    def turns(self, modules: Sequence[GreedyModule]) -> list[GreedyModule]:
        """The same modules, made of blocks that were taken in, which come for their turns."""
        made: list[GreedyModule] = []
        following: Away | None = None
        for module in reversed(modules):
            following = Away(self, module.iterations, module.optimizer, following)
            made.append(replace(module, turn=following))
        return made[::-1]

    def begin(self, blocks: Iterable[nn.Module], tensors: Sequence[Tensor]) -> None:
        """Have blocks on the device, with all tensors that belong to them."""
        self._working.update(map(id, blocks))
        self.lodging.bring(tensors)

    def end(self, blocks: Iterable[nn.Module], tensors: Sequence[Tensor]) -> None:
        """Have them at home again, as they are now."""
        self._working.difference_update(map(id, blocks))
        self.lodging.send(tensors)

    def leave(self, blocks: Iterable[nn.Module], tensors: Sequence[Tensor]) -> None:
        """Have them at home again, as they were there."""
        self._working.difference_update(map(id, blocks))
        self.lodging.leave(tensors)

    def _call(self, block: nn.Module, given: Any) -> None:
        if id(block) not in self._working:
            self.lodging.bring(_weights(block))

    def _called(self, block: nn.Module, given: Any, output: Any) -> None:
        if id(block) not in self._working:
            self.lodging.leave(_weights(block))


@dataclass(frozen=True)
class Away:
    """The turn of a module that lies at home otherwise.

    Attributes:
        idle: who takes it in.
        blocks: of the module.
        optimizer: of the module.
        following: whose turn comes next, if anybody's.
    """

    idle: Idle
    blocks: nn.ModuleList
    optimizer: torch.optim.Optimizer
    following: "Away | None"
    stays = False

    def begin(self) -> None:
        """See `Turn`; the module whose turn is next is on its way from here on."""
        self.idle.begin(self.blocks, self.held())
        if self.following is not None:
            self.idle.lodging.expect(self.following.held())

    def end(self) -> None:
        """See `Turn`."""
        self.idle.end(self.blocks, self.held())

    def leave(self) -> None:
        """See `Turn`."""
        self.idle.leave(self.blocks, self.held())

    def settle(self) -> None:
        """See `Turn`."""
        self.idle.lodging.settle()

    def held(self) -> list[Tensor]:
        """All tensors that come and go with the module."""
        weights = _weights(self.blocks)
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        states = (value for state in self.optimizer.state.values() for value in state.values())
        return [*weights, *gradients, *(value for value in states if isinstance(value, Tensor))]


def idle_at(where: str | Path, device: torch.device) -> Idle | None:
    """The function that takes blocks in; None where they stay on the device.

    Args:
        where: "device", "host" or a folder.
        device: where they compute.
    """
    if where == "device" or (where == "host" and not on_gpu(device)):
        return None
    return Idle(device, None if where == "host" else Path(where))


def _weights(block: nn.Module) -> list[Tensor]:
    return [*block.parameters(), *block.buffers()]
