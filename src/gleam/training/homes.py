"""Homes of tensors that nobody works on, and how they come and go: see `gleam.training.idle`.

A tensor's `data` is exchanged, so it stays the same object to whoever holds it: a module's weight,
an optimizer's state. While it is at home it is there whole.
"""

import ctypes
import mmap
import tempfile
from collections.abc import MutableMapping, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from gleam.arrays import AnyTensor
from gleam.files import reserve, unwritable

ALIGNED = 64  # bytes: where a tensor may begin, as torch's own do


@runtime_checkable  # the tests check types at run time
class Lodging(Protocol):
    """Has tensors on a device while they are worked on, and at home otherwise.

    `check_lodging` of tests/training/test_idle_contract.py holds each to this.
    """

    def expect(self, tensors: Sequence[Tensor]) -> None:
        """These are wanted soon."""

    def bring(self, tensors: Sequence[Tensor]) -> None:
        """Have them on the device."""

    def send(self, tensors: Sequence[Tensor]) -> None:
        """Have them at home, with the values they have now."""

    def leave(self, tensors: Sequence[Tensor]) -> None:
        """Have them at home again, as they were there."""

    def settle(self) -> None:
        """Wait until whatever was sent is at home."""


class Mapped:
    """A home on a CPU: tensors are a file's, mapped into memory, and stay there.

    What is not wanted any more is no longer in this process's memory; the system writes it to the
    file when it will, and keeps it in its own memory as long as there is room.

    Args:
        folder: of the files.

    Raises:
        BadInput: a file cannot be made.
        Unwritable: the disk is full.
    """

    def __init__(self, folder: Path | None) -> None:
        self._homes = Homes(folder)

    def expect(self, tensors: Sequence[Tensor]) -> None:
        """See `Lodging`: the system reads ahead."""
        self._homes.advise(tensors, mmap.MADV_WILLNEED)

    def bring(self, tensors: Sequence[Tensor]) -> None:
        """See `Lodging`: they are there."""

    @torch.no_grad()
    def send(self, tensors: Sequence[Tensor]) -> None:
        """See `Lodging`."""
        for tensor, home in zip(tensors, self._homes.of(tensors), strict=True):
            if not _is_at(tensor, home):
                tensor.data = home.copy_(tensor)
        self.leave(tensors)
        _give_back()

    def leave(self, tensors: Sequence[Tensor]) -> None:
        """See `Lodging`."""
        self._homes.advise(tensors, mmap.MADV_DONTNEED)  # of a shared mapping, nothing is lost

    def settle(self) -> None:
        """See `Lodging`: they never went."""


class Fetched:
    """A home on a GPU: tensors lie in pinned host memory, or in a file, and are copied for their
    turn.

    Copies from and to pinned memory run on streams of their own, one for each direction.

    Args:
        device: the GPU.
        folder: of the files; None for host memory.

    Raises:
        BadInput: a file cannot be made.
        Unwritable: the disk is full.
    """

    def __init__(self, device: torch.device, folder: Path | None) -> None:
        self._device, self._homes = device, Homes(folder)
        # Copies on the device that nobody uses yet.
        self._coming: MutableMapping[Tensor, Tensor] = WeakTensorKeyDictionary()

    @torch.no_grad()
    def expect(self, tensors: Sequence[Tensor]) -> None:
        """See `Lodging`: from pinned memory they come at once, of a file the system reads ahead."""
        if self._homes.folder is None:
            self._fetch(tensors)
        else:
            self._homes.advise(tensors, mmap.MADV_WILLNEED)

    @torch.no_grad()
    def bring(self, tensors: Sequence[Tensor]) -> None:
        """See `Lodging`."""
        self._fetch(tensors)
        here = torch.cuda.current_stream(self._device)
        here.wait_stream(_coming(self._device))
        for tensor in tensors:
            if tensor in self._coming:
                tensor.data = self._coming.pop(tensor)
                tensor.record_stream(here)

    @torch.no_grad()
    def send(self, tensors: Sequence[Tensor]) -> None:
        """See `Lodging`."""
        places = zip(tensors, self._homes.of(tensors), strict=True)
        away = [(tensor, home) for tensor, home in places if not _is_at(tensor, home)]
        going = _going(self._device)
        going.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(going):
            for tensor, home in away:
                home.copy_(tensor, non_blocking=True)
        for tensor, home in away:
            if on_device(tensor):
                tensor.record_stream(going)
            tensor.data = home
        for tensor in tensors:
            self._coming.pop(tensor, None)  # a copy of what it was before

    def leave(self, tensors: Sequence[Tensor]) -> None:
        """See `Lodging`."""
        for tensor, home in zip(tensors, self._homes.of(tensors), strict=True):
            tensor.data = home

    def settle(self) -> None:
        """See `Lodging`."""
        _going(self._device).synchronize()

    def _fetch(self, tensors: Sequence[Tensor]) -> None:
        coming = _coming(self._device)
        coming.wait_stream(_going(self._device))
        with torch.cuda.stream(coming):
            for tensor in tensors:
                home = self._homes.known(tensor)
                if home is not None and _is_at(tensor, home) and tensor not in self._coming:
                    copy = torch.empty_like(home, device=self._device)
                    self._coming[tensor] = copy.copy_(home, non_blocking=True)


class Homes:
    """Memory for tensors, in which each has its place as long as it lives.

    Args:
        folder: where to make files that have no name; None for pinned memory of the host.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._places: MutableMapping[Tensor, Tensor] = WeakTensorKeyDictionary()
        # Of the files that they are in.
        self._maps: MutableMapping[Tensor, mmap.mmap] = WeakTensorKeyDictionary()

    def known(self, tensor: AnyTensor) -> AnyTensor | None:
        """The place of a tensor, if it has one."""
        return self._places.get(tensor)

    def of(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Their places, made for those that have none: as large, and axes in memory as they are."""
        new = [tensor for tensor in tensors if tensor not in self._places]
        if new and self.folder is not None:
            self._make_file(new)
        elif new:
            for one in new:
                home = torch.empty_like(one, device="cpu", pin_memory=True, requires_grad=False)
                self._places[one] = home
        return [self._places[tensor] for tensor in tensors]

    def advise(self, tensors: Sequence[Tensor], advice: int) -> None:
        """Tell the system what is to come of the files that tensors are in."""
        maps = [self._maps[tensor] for tensor in tensors if tensor in self._maps]
        for one in {id(one): one for one in maps}.values():
            one.madvise(advice)

    def _make_file(self, tensors: Sequence[Tensor]) -> None:
        sizes = [-(-tensor.nbytes // ALIGNED) * ALIGNED for tensor in tensors]
        *starts, size = accumulate(sizes, initial=0)
        try:
            with tempfile.TemporaryFile(dir=self.folder) as file:
                reserve(file, 0, max(size, 1))
                mapped = mmap.mmap(file.fileno(), max(size, 1))
        except OSError as error:
            raise unwritable(f"training.idle: {self.folder}", error) from error
        flat = torch.frombuffer(mapped, dtype=torch.uint8)
        for tensor, start in zip(tensors, starts, strict=True):
            dense = torch.empty_like(tensor, device="meta", requires_grad=False)
            place = flat[start : start + tensor.nbytes].view(tensor.dtype)
            self._places[tensor] = place.as_strided(dense.shape, dense.stride())
            self._maps[tensor] = mapped


def on_device(tensor: AnyTensor) -> bool:
    """Whether memory is a GPU's, and so given away again stream by stream."""
    return tensor.is_cuda


def _give_back() -> None:
    """Have the system have what this process no longer uses.

    The C library keeps it, and up to version 2.38 does not find it again for what is aligned, as
    tensors are: memory would grow by each module.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _is_at(tensor: Tensor, home: Tensor) -> bool:
    return tensor.data_ptr() == home.data_ptr()


@cache
def _coming(device: torch.device) -> torch.cuda.Stream:
    """The stream on which tensors are copied to a device."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


@cache
def _going(device: torch.device) -> torch.cuda.Stream:
    """The stream on which they are copied from it."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
