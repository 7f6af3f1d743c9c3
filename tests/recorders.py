"""Stand-ins for CUDA graphs where there is no GPU."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Again:
    """Records nothing and calls the same work again, and then spoils all memory it made on its way.

    So whatever lies in a graph's pool is gone when a replay has ended, as if another had used it.
    """

    def __init__(self) -> None:
        self.recorded = 0

    def __call__(self, work: Callable[[], None]) -> Callable[[], None]:
        self.recorded += 1

        def replay() -> None:
            with _Made() as made:
                work()
            for storage in made.inside.values():
                spoil(storage)

        return replay


class Failing(Again):
    """Fails at one of its records, as a unit does that waits for the GPU."""

    def __init__(self, at: int) -> None:
        super().__init__()
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
        for storage in _storages([args, kwargs or {}]):
            if storage.data_ptr() not in self.inside:
                self.outside[storage.data_ptr()] = storage
        result = function(*args, **(kwargs or {}))
        for storage in _storages(result):
            if storage.data_ptr() not in self.outside:
                self.inside[storage.data_ptr()] = storage
        return result


def _storages(tree: Any) -> list[torch.UntypedStorage]:
    found = [leaf.untyped_storage() for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]
    return [storage for storage in found if storage.data_ptr()]
