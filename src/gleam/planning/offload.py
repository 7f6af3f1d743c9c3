"""Offloading as it is traced: see `gleam.training.offload`, which asks for addresses."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gleam.arrays import AnyTensor
from gleam.planning.trace import Tracer, memory_of
from gleam.training.offload import SMALL
from gleam.training.states import State
from gleam.training.storage import store


@dataclass(frozen=True)
class Elsewhere:
    """The place where activations wait.

    Attributes:
        tracer: does not count them while they do.
        on_gpu: host memory is another than the device's.
        to_file: they wait in a file.
    """

    tracer: Tracer
    on_gpu: bool
    to_file: bool


def offload(where: Elsewhere, iterations: Sequence[nn.Module], state: State, *given: Any) -> State:
    """Run iterations as `gleam.training.storage.offload` does, as far as a trace sees it."""
    weights = {memory_of(p) for iteration in iterations for p in iteration.parameters()}
    kept = TracedStore(where, weights)
    with torch.autograd.graph.saved_tensors_hooks(kept.put, kept.get):
        return store(iterations, state, *given)


class TracedStore:
    """Holds the activations of one forward pass: see `gleam.training.offload.ActivationStore`.

    Args:
        where: they wait.
        weights: memories of tensors that stay.
    """

    def __init__(self, where: Elsewhere, weights: Collection[int]) -> None:
        self.where, self.weights = where, weights
        self.kept: list[Tensor] = []
        self.back: dict[int, Tensor] = {}
        self.latest: tuple[Tensor, int] | None = None

    def put(self, tensor: AnyTensor) -> int | AnyTensor:
        """Take an activation away: its number, or itself if it stays."""
        stays = not self.where.on_gpu and not self.where.to_file
        if stays or tensor.nbytes < SMALL or memory_of(tensor) in self.weights:
            return tensor
        if self.latest is None or not _same(self.latest, tensor):
            with self.where.tracer.elsewhere():
                self.kept.append(torch.empty_like(tensor))
            self.latest = tensor, tensor._version
        return len(self.kept) - 1

    def get(self, kept: int | AnyTensor) -> AnyTensor:
        """An activation: on a GPU it is copied there, and the one that is wanted next, too."""
        if isinstance(kept, Tensor):
            return kept
        self.latest = None
        if not self.where.on_gpu:
            return self.kept[kept]
        for number in (kept, kept - 1):
            if number >= 0 and number not in self.back:
                self.back[number] = torch.empty_like(self.kept[number])
        self.back = {n: tensor for n, tensor in self.back.items() if n in (kept - 1, kept)}
        return self.back[kept]


def _same(latest: tuple[Tensor, int], tensor: Tensor) -> bool:
    before, version = latest
    return (
        memory_of(before) == memory_of(tensor)
        and before.storage_offset() == tensor.storage_offset()
        and (before.shape, before.stride(), before.dtype, version)
        == (tensor.shape, tensor.stride(), tensor.dtype, tensor._version)
    )
