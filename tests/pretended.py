"""A GPU that is none: tensors that say they are on one, and are computed on the CPU.

What is moved or made there refuses to meet what was left on the CPU, as on a real GPU, and to be
read without `.cpu()`. So on any machine tests can see what of a verb is on the wrong device.
Kernels, the order of streams and recorded graphs are not tested by it: `make test-gpu` does that.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

GPU, CPU, STAND_IN = torch.device("cuda", 0), torch.device("cpu"), torch.device("meta")
MEMORY = 8 * 2**30
aten = torch.ops.aten
CROSSING = {aten._to_copy.default, aten.copy_.default}  # from one device to the other
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default}  # from either


class Pretended(torch.Tensor):
    """A tensor of the CPU that says it is elsewhere."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "Pretended":
        made: Pretended = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=STAND_IN,
        )
        made.held = held
        return made

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"pretended: {self.held}"

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return GPU

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        return True

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] = {}
    ) -> Any:
        return computed(func, args, dict(kwargs or {}))


class Operations(TorchDispatchMode):
    """What is made on the GPU is pretended to be there."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] = {}
    ) -> Any:
        return computed(func, args, dict(kwargs or {}))


class Names(TorchFunctionMode):
    """Torch without CUDA has no such tensors: to torch the GPU's name is that of its stand-in."""

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is torch.device:
            return func(*args, **(kwargs or {}))
        args, kwargs = pytree.tree_map(_stand_in, (tuple(args), dict(kwargs or {})))
        if func is torch.Tensor.tolist:
            return func(args[0].detach().cpu())
        if func is torch.Tensor.pin_memory:
            return args[0]
        if func is torch.Tensor.record_stream:
            return None
        kwargs.pop("pin_memory", None)
        if func in (torch.tensor, torch.as_tensor) and "device" in kwargs:  # no operation of torch
            return func(*args, **kwargs | {"device": CPU}).to(kwargs["device"])
        return func(*args, **kwargs)


def _stand_in(value: Any) -> Any:
    if isinstance(value, torch.device):
        return STAND_IN if value.type == "cuda" else value
    return STAND_IN if isinstance(value, str) and value.partition(":")[0] == "cuda" else value


def computed(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """An operation, computed on the CPU, its result where it would be."""
    tensors = [one for one in pytree.tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
    there = any(isinstance(one, Pretended) for one in tensors)
    assert not any(one.is_meta and not isinstance(one, Pretended) for one in tensors)
    if there and func not in CROSSING:
        together = args[:1] if func in INDEXING else tensors
        for one in together:
            if isinstance(one, torch.Tensor) and one.ndim and not isinstance(one, Pretended):
                raise RuntimeError(
                    f"{func}: expected all tensors to be on the same device, but found at least "
                    f"two devices, cuda:0 and cpu"
                )
    device = kwargs.get("device")
    result_there = there if device is None else torch.device(device).type != "cpu"
    if func is aten.copy_.default:
        result_there = isinstance(args[0], Pretended)
    if device is not None:
        kwargs["device"] = CPU

    def held(one: Any) -> Any:
        return one.held if isinstance(one, Pretended) else one

    inner_args, inner_kwargs = pytree.tree_map(held, (tuple(args), kwargs))
    result = func(*inner_args, **inner_kwargs)
    if not result_there:
        return result

    def wrapped(one: Any) -> Any:
        return Pretended(one) if isinstance(one, torch.Tensor) else one

    return return_and_correct_aliasing(func, args, kwargs, pytree.tree_map(wrapped, result))


class Stream:
    """Of work that is done at once."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def wait_stream(self, _: Any) -> None: ...

    def wait_event(self, _: Any) -> None: ...

    def synchronize(self) -> None: ...

    def record_event(self, *_: Any) -> "Event":
        return Event()


class Event:
    """Of work that is done."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def record(self, *_: Any) -> None: ...

    def wait(self, *_: Any) -> None: ...

    def synchronize(self) -> None: ...

    def query(self) -> bool:
        return True

    def elapsed_time(self, _: Any) -> float:
        return 1.0


@contextmanager
def _any(*_: Any) -> Iterator[None]:
    yield


def _answers() -> dict[str, Callable[..., Any]]:
    """Of `torch.cuda`, by name."""
    simple = {
        "is_available": True,
        "device_count": 1,
        "current_device": 0,
        "get_device_name": "a GPU that is none",
        "get_device_capability": (8, 0),
        "mem_get_info": (MEMORY, MEMORY),
        "memory_allocated": 0,
        "memory_reserved": 0,
        "max_memory_reserved": 2**20,
        "max_memory_allocated": 2**20,
        "get_device_properties": SimpleNamespace(
            total_memory=MEMORY, multi_processor_count=8, major=8, minor=0
        ),
        "is_bf16_supported": True,
    }
    idle = (
        "synchronize", "empty_cache", "reset_peak_memory_stats", "set_device", "set_stream",
        "set_per_process_memory_fraction", "_lazy_init", "manual_seed_all", "manual_seed",
    )  # fmt: skip
    answers: dict[str, Callable[..., Any]] = {
        name: (lambda *_, value=value, **__: value) for name, value in simple.items()
    }
    answers |= {name: (lambda *_, **__: None) for name in idle}
    answers |= {"Stream": Stream, "Event": Event, "stream": _any, "device": _any}
    return answers | {"current_stream": Stream, "default_stream": Stream}


@contextmanager
def pretended() -> Iterator[None]:
    """Within it, this machine has a GPU."""
    run = threading.Thread.run

    def entered(thread: threading.Thread) -> None:
        with Names(), Operations():
            run(thread)

    with ExitStack() as stack:
        for name, answer in _answers().items():
            stack.enter_context(mock.patch.object(torch.cuda, name, answer))
        stack.enter_context(mock.patch.object(threading.Thread, "run", entered))
        stack.enter_context(Names())
        stack.enter_context(Operations())
        yield
