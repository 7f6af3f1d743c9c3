"""Activations that wait for the backward pass elsewhere than on the device.

On a GPU that is pinned host memory, or a memory-mapped file. Copies to and from pinned memory run
on a stream of their own, beside the computation; in the backward pass the next activation is on
its way while the gradient of one is computed. On a CPU activations lie in host memory anyway, so
only the file makes a difference.
"""

import tempfile
import weakref
from collections.abc import Hashable, Iterable
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

from gleam.arrays import AnyTensor
from gleam.files import reserve, unwritable

SMALL = 1024  # bytes; what is smaller stays where it is


class ActivationStore:
    """Holds the activations of one forward pass.

    Four methods ask for memory or the device; a trace has its own (`gleam.planning.offload`).

    Args:
        weights: tensors that stay on the device.
        folder: where to make the file, which has no name and is gone with the graph; None for
            host memory.

    Raises:
        BadInput: the file cannot be made.
        Unwritable: the disk is full.
    """

    def __init__(self, weights: Iterable[Tensor], folder: Path | None = None) -> None:
        self.weights, self.folder = {self._address(weight) for weight in weights}, folder
        self.kept: list[tuple[Tensor, torch.device]] = []  # in the order of the forward pass
        self.back: dict[int, Tensor] = {}  # what is on the device again, or on its way
        self.latest: tuple[Tensor, int] | None = None
        self.file: IO[bytes] | None = None
        self.size = 0

    def put(self, tensor: AnyTensor) -> int | AnyTensor:
        """Take an activation off the device: its number, or itself if it stays."""
        if self._there(tensor) or tensor.nbytes < SMALL or self._address(tensor) in self.weights:
            return tensor
        # An activation is often kept twice in a row, as the result of one operation and as the
        # input of the next. The first is held on to: its memory cannot be another's by then.
        if self.latest is None or not self._same(*self.latest, tensor):
            self.kept.append((self._moved(tensor), tensor.device))
            self.latest = tensor, tensor._version
        return len(self.kept) - 1

    def get(self, kept: int | AnyTensor) -> AnyTensor:
        """An activation, back on its device."""
        if isinstance(kept, Tensor):
            return kept
        self.latest = None
        return self._returned(kept)

    def _same(self, before: Tensor, version: int, tensor: Tensor) -> bool:
        return (
            (self._address(before), before.shape, before.stride(), before.dtype, version)
            == (self._address(tensor), tensor.shape, tensor.stride(), tensor.dtype, tensor._version)
        )  # fmt: skip

    def _address(self, tensor: Tensor) -> Hashable:
        """Names the place in memory where a tensor begins."""
        return tensor.data_ptr()

    def _there(self, tensor: Tensor) -> bool:
        """Whether it lies already where activations wait."""
        return self.folder is None and not on_gpu(tensor.device)

    def _moved(self, tensor: Tensor) -> Tensor:
        """The same where activations wait."""
        return self._to_host(tensor) if self.folder is None else self._to_file(tensor)

    def _returned(self, kept: int) -> Tensor:
        """The same on its device again."""
        device = self.kept[kept][1]
        if not on_gpu(device):
            return self.kept[kept][0]
        self._fetch(kept)
        here = torch.cuda.current_stream(device)
        here.wait_stream(_aside(device))
        self.back[kept].record_stream(here)
        self.back = {n: tensor for n, tensor in self.back.items() if n in (kept - 1, kept)}
        if kept:
            self._fetch(kept - 1)  # the one that is wanted next
        return self.back[kept]

    def _fetch(self, number: int) -> None:
        if number not in self.back:
            host, device = self.kept[number]
            with torch.cuda.stream(_aside(device)):
                self.back[number] = torch.empty_like(host, device=device)
                self.back[number].copy_(host, non_blocking=True)

    def _to_host(self, tensor: Tensor) -> Tensor:
        # torch keeps pinned buffers that are let go, and gives them out again once the copies from
        # and to them are over.
        host = torch.empty_like(tensor, device="cpu", pin_memory=True)
        if host.stride() != tensor.stride() or tensor.is_conj() or tensor.is_neg():
            # A copy that torch rearranges or conjugates on the host, it may before it has come.
            tensor = torch.empty_like(tensor).copy_(tensor)
        aside = _aside(tensor.device)
        aside.wait_stream(torch.cuda.current_stream(tensor.device))
        with torch.cuda.stream(aside):
            host.copy_(tensor, non_blocking=True)
        tensor.record_stream(aside)
        return host

    def _to_file(self, tensor: Tensor) -> Tensor:
        try:
            if self.file is None:
                self.file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115
                weakref.finalize(self, self.file.close)
            reserve(self.file, self.size, tensor.nbytes)
        except OSError as error:
            raise unwritable(f"training.offload_to: {self.folder}", error) from error
        mapped = np.memmap(self.file, np.uint8, "r+", self.size, (tensor.nbytes,))
        self.size += tensor.nbytes
        dense = torch.empty_like(tensor, device="meta")  # axes in memory as the tensor has them
        kept = torch.from_numpy(mapped).view(tensor.dtype)
        return kept.as_strided(dense.shape, dense.stride()).copy_(tensor)


def on_gpu(device: torch.device) -> bool:
    """Whether host memory is another than the device's."""
    return device.type == "cuda"


@cache
def _aside(device: torch.device) -> torch.cuda.Stream:
    """The stream on which a device's activations travel."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
