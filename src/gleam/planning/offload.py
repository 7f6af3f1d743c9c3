"""Offloading as it is traced: the store that trains, but that fake tensors have no addresses, and
that the device need not be here."""

from collections.abc import Hashable, Iterable
from pathlib import Path

import torch
from torch import Tensor

from gleam.planning.trace import Tracer, memory_of
from gleam.training.offload import ActivationStore


class TracedStore(ActivationStore):
    """Holds the activations of one forward pass, and writes none of them.

    Args:
        tracer: does not count them while they wait.
        gpu: work as on a GPU: host memory is another than the device's.
        weights: see `ActivationStore`.
        folder: see `ActivationStore`.
    """

    def __init__(
        self, tracer: Tracer, gpu: bool, weights: Iterable[Tensor], folder: Path | None = None
    ) -> None:
        super().__init__(weights, folder)
        self.tracer, self.gpu = tracer, gpu

    def _address(self, tensor: Tensor) -> Hashable:
        return memory_of(tensor), tensor.storage_offset()

    def _there(self, tensor: Tensor) -> bool:
        return self.folder is None and not self.gpu

    def _moved(self, tensor: Tensor) -> Tensor:
        with self.tracer.elsewhere():
            return torch.empty_like(tensor)

    def _returned(self, kept: int) -> Tensor:
        if not self.gpu:
            return self.kept[kept][0]
        for number in (kept, kept - 1):  # the one that is wanted next is copied, too
            if number >= 0 and number not in self.back:
                self.back[number] = torch.empty_like(self.kept[number][0])
        self.back = {n: tensor for n, tensor in self.back.items() if n in (kept - 1, kept)}
        return self.back[kept]
