"""`Trace`: what a piece of work would hold at most, and do, found without memory for its tensors.

Under PyTorch's fake tensors every operation says the size of its results and computes nothing. A
tensor's memory is held from the operation that makes it until nothing refers to it any more, just
as in earnest; what an operation takes besides, while it runs, is asked of `workspace`.

This is the one file that rests on what PyTorch calls private (`FakeTensorMode`, dispatch modes);
tests/planning/test_trace.py holds it to what the profiler measures.
"""

import copy
import math
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeCopyMode,
    FakeTensor,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from gleam.arrays import AnyTensor
from gleam.planning.allocator import Allocator

T = TypeVar("T")

# What is raised where results depend on values, which nobody computes.
UNKNOWN = (DataDependentOutputException, DynamicOutputShapeException)

aten = torch.ops.aten
HOST = torch.device("meta")  # other memory than the device's: what is made there does not count
LIES_THERE, WORKSPACE = -1, -2  # names of memory that no tensor of the trace has
Phase = tuple[str, int, int]  # of work: the way (forward, backward), the part, and the place in it
# An operation and its arguments → the bytes that it takes besides its result while it runs.
Workspace = Callable[[Any, tuple[Any, ...]], int]


@dataclass(frozen=True)
class Held:
    """Bytes that are held at one time.

    Attributes:
        gradients: of weights.
        activations: what is kept for the backward pass, and what is in the making.
        workspace: of the operation that runs.
    """

    gradients: int = 0
    activations: int = 0
    workspace: int = 0

    @property
    def total(self) -> int:
        """Bytes in all."""
        return self.gradients + self.activations + self.workspace


@dataclass
class Work:
    """Work that was done.

    Attributes:
        operations: how many; each is launched.
        convolutions: floating point operations of convolutions and products of matrices.
        transforms: those of FFTs, 5 N log₂ N each.
        moved: bytes read and written by all others.
    """

    operations: int = 0
    convolutions: int = 0
    transforms: int = 0
    moved: int = 0

    def plus(self, other: "Work", times: float = 1) -> "Work":
        """This work, and another so many times."""
        mine, its = vars(self).values(), vars(other).values()
        return Work(*(round(a + times * b) for a, b in zip(mine, its, strict=True)))


@dataclass
class Trace:
    """Memory that was held and work that was done.

    Attributes:
        peaks: the most that was held at once in each phase.
        work: done in each part.
    """

    peaks: dict[Phase, Held] = field(default_factory=dict)
    work: dict[int, Work] = field(default_factory=lambda: defaultdict(Work))

    @property
    def peak(self) -> Held:
        """The most that was held at once."""
        return max(self.peaks.values(), key=lambda held: held.total, default=Held())


class Tracer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows what is done within it; use inside `fake`.

    Args:
        before: tensors that are there already, and do not count.
        workspace: of operations.
        gpu: work as on a GPU: what is reserved counts, and convolutions put out channels last,
            whatever a CPU would do.
    """

    def __init__(
        self, before: Sequence[Tensor], workspace: Workspace | None = None, gpu: bool = False
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.phase: Phase = ("forward", 0, 0)  # of what is being done; see `at`
        self.trace = Trace()
        self._workspace = workspace
        self._allocator = Allocator() if gpu else None
        self._kept: dict[int, tuple[int, bool]] = {}  # bytes of a memory, and whether of gradients
        self._held = [0, 0]  # activations, gradients
        self._quiet, self._asked = False, 0
        self._before = bytes_of(before)
        for tensor in before:
            self._take(tensor, 0)
        if self._allocator:
            self._allocator.take(LIES_THERE, self._before)

    def gradient(self, tensor: AnyTensor | None) -> None:
        """Count a tensor's memory to the gradients from now on."""
        key = None if tensor is None else memory_of(tensor)
        if key is None or key not in self._kept:
            return
        size, known = self._kept[key]
        if not known:
            self._kept[key] = size, True
            self._held[0] -= size
            self._held[1] += size

    def at(self, phase: Phase) -> Callable[..., None]:
        """A hook that says that a phase begins."""

        def begin(*_: Any) -> None:
            self.phase = phase

        return begin

    @property
    def reserved(self) -> int:
        """Bytes that a GPU reserved beyond those of what was there before; 0 on a CPU."""
        return self._allocator.reserved - self._before if self._allocator else 0

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """A context whose tensors lie in other memory, and do not count."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """See `TorchDispatchMode`."""
        if func is aten._local_scalar_dense.default and isinstance(args[0], FakeTensor):
            return self._value(args[0])
        packet = func.overloadpacket
        convolves = packet in (aten.convolution, aten.convolution_backward)
        if _in_place(func):  # so is settled at once what it makes: nothing
            result = args[0] if func._schema.returns else None
        else:
            result = func(*args, **(kwargs or {}))
        if convolves and self._allocator:
            result = _densified(result)
        for one in tree_leaves(result):
            if isinstance(one, Tensor):
                away = self._quiet or one.device == HOST
                self._take(one, 0 if away else one.untyped_storage().nbytes())
        self._note(self._workspace(func, args) if convolves and self._workspace else 0)
        self._count(func, packet, args, result)
        return result

    def _value(self, tensor: Tensor) -> bool | float:
        """The answer to code that asks for a value: no error is large, but none is zero.

        What goes on until all has converged does so twice: the second time stands for all others.
        """
        if tensor.dtype is not torch.bool:
            return 1e-3
        self._asked += 1
        return self._asked % 3 == 0

    def _take(self, tensor: Tensor, size: int) -> None:
        memory = tensor.untyped_storage()
        key = int(memory._cdata)
        if key not in self._kept:
            self._kept[key] = size, False
            self._held[0] += size
            if self._allocator:
                self._allocator.take(key, size)
            weakref.finalize(memory, self._free, key)

    def _free(self, key: int) -> None:
        size, of_gradient = self._kept.pop(key)
        self._held[of_gradient] -= size
        if self._allocator:
            self._allocator.give_back(key)

    def _note(self, workspace: int) -> None:
        if self._allocator and workspace:
            self._allocator.take(WORKSPACE, workspace)
            self._allocator.give_back(WORKSPACE)
        activations, gradients = self._held
        known = self.trace.peaks.get(self.phase)
        if known is None or activations + gradients + workspace > known.total:
            self.trace.peaks[self.phase] = Held(gradients, activations, workspace)

    def _count(self, func: Any, packet: Any, args: tuple[Any, ...], result: Any) -> None:
        work = self.trace.work[self.phase[1]]
        if func.is_view:
            return
        work.operations += 1
        if packet in flop_registry:
            work.convolutions += flop_registry[packet](*args, out_val=result)
        elif packet is aten._fft_c2c:
            length = math.prod(args[0].shape[axis] for axis in args[1])
            work.transforms += round(5 * args[0].numel() * math.log2(max(length, 2)))
        else:
            tensors = [one for one in tree_leaves((args, result)) if isinstance(one, Tensor)]
            work.moved += sum(one.nbytes for one in tensors)


def fake() -> FakeTensorMode:
    """A context in which tensors are made without memory."""
    return FakeTensorMode(allow_non_fake_inputs=True)


def copied(mode: FakeTensorMode, whole: T) -> T:
    """The same of fake tensors; nothing is copied but shapes."""
    with FakeCopyMode(mode):
        return copy.deepcopy(whole)


def memory_of(tensor: AnyTensor) -> int:
    """Names the memory that a tensor lies in, as an address would."""
    return int(tensor.untyped_storage()._cdata)


def bytes_of(tensors: Iterable[Tensor]) -> int:
    """Bytes of tensors on the device; those of the same memory count once."""
    here = (tensor for tensor in tensors if tensor.device != HOST)
    return sum({memory_of(tensor): tensor.nbytes for tensor in here}.values())


@cache
def _in_place(func: Any) -> bool:
    """Whether an operation writes into its first argument, and leaves its size alone."""
    name = func.overloadpacket.__name__
    return (
        name.endswith("_") and not name.endswith("__") and torch.Tag.inplace_view not in func.tags
    )


def _densified(result: Any) -> Any:
    if isinstance(result, Tensor):
        return result.to(memory_format=channels_last(result))
    image, *rest = result
    return (image if image is None else image.to(memory_format=channels_last(image)), *rest)


def channels_last(tensor: AnyTensor) -> torch.memory_format:
    """The layout with channels last, of images or volumes."""
    return torch.channels_last if tensor.ndim == 4 else torch.channels_last_3d


@contextmanager
def outside() -> Iterator[None]:
    """A context in which tensors are made as ever, though all around is traced."""
    with _disable_current_modes():
        yield
