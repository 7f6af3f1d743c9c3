"""Stand-ins for CUDA graphs where there is no GPU."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# What waits for a GPU, or copies to it from memory that is not pinned.
WAITS = {"_local_scalar_dense", "nonzero", "equal", "masked_select", "lift_fresh", "unique_dim"}


class Again:
    """Records nothing and calls the same work again, and then spoils all memory it made on its way.

    So whatever lies in a graph's pool is gone when a replay has ended, as if another had used it.
    To whoever replays, gradients are what they were before, as a replay changes no Python object;
    the work itself finds those that there were when it was recorded. Work that waits fails.

    Args:
        weights: whose gradients the work uses; it is asked when something is recorded.
    """

    def __init__(self, weights: Callable[[], Iterable[Tensor]] = list) -> None:
        self.weights = weights
        self.recorded = 0

    def __call__(self, work: Callable[[], None]) -> Callable[[], None]:
        self.recorded += 1
        weights = [*self.weights()]
        found = [weight.grad for weight in weights]

        def replay() -> None:
            before = [weight.grad for weight in weights]
            _give(weights, found)
            with _Made() as made:
                work()
            _give(weights, before)
            for storage in made.inside.values():
                spoil(storage)

        return replay


class Failing(Again):
    """Fails at one of its records, as a unit does that waits for the GPU."""

    def __init__(self, at: int, weights: Callable[[], Iterable[Tensor]] = list) -> None:
        super().__init__(weights)
        self.at = at

    def __call__(self, work: Callable[[], None]) -> Callable[[], None]:
        if self.recorded == self.at:
            raise RuntimeError("operation not permitted when stream is capturing\nat line 3")
        return super().__call__(work)


def spoil(storage: torch.UntypedStorage) -> None:
    """Fill memory with ones: NaN, whatever floating-point type it is taken for."""
    torch.empty(0, dtype=torch.uint8).set_(storage).fill_(255)


class _Made(TorchDispatchMode):
    """Memory that was made while it was on; kept until it is gone, so that none is made twice."""

    def __init__(self) -> None:
        super().__init__()
        self.inside: dict[int, torch.UntypedStorage] = {}
        self.outside: dict[int, torch.UntypedStorage] = {}

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function.overloadpacket.__name__
        if name in WAITS:
            raise RuntimeError(f"{name} waits for the GPU")
        for storage in _storages([args, kwargs or {}]):
            if storage.data_ptr() not in self.inside:
                self.outside[storage.data_ptr()] = storage
        result = function(*args, **(kwargs or {}))
        for storage in _storages(result):
            if storage.data_ptr() not in self.outside:
                self.inside[storage.data_ptr()] = storage
        return result


def _give(weights: Iterable[Tensor], gradients: Iterable[Tensor | None]) -> None:
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient


def _storages(tree: Any) -> list[torch.UntypedStorage]:
    found = [leaf.untyped_storage() for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
    return [storage for storage in found if storage.data_ptr()]


class Host(TorchDispatchMode):
    """Notes what touches memory of the host, where work is for another device."""

    def __init__(self) -> None:
        super().__init__()
        self.touched: set[str] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        leaves = tree_leaves([result, args, kwargs or {}])
        if any(isinstance(leaf, Tensor) and leaf.device.type == "cpu" for leaf in leaves):
            self.touched.add(str(function))
        return result
