"""States that travel between modules: a tensor, or tuples, lists and dicts of states.

An unrolled network of this house hands an image on; others hand on k-space, an image with a memory,
or hidden states by name. Whatever is no tensor, and integers, travel along unchanged.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gleam.arrays import AnyTensor

State = Any


def mapped(function: Callable[[Tensor], Any], state: State) -> State:
    """The same state with `function` applied to each tensor in it."""
    if isinstance(state, Tensor):
        return function(state)
    if isinstance(state, dict):
        return type(state)({name: mapped(function, part) for name, part in state.items()})
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(mapped(function, part) for part in state))
    if isinstance(state, list | tuple):
        return type(state)(mapped(function, part) for part in state)
    return state


def tensors(state: State) -> list[Tensor]:
    """The tensors in a state, in order."""
    found: list[Tensor] = []
    mapped(found.append, state)
    return found


def detached(state: State, differentiate: bool = False) -> State:
    """The same values with no graph behind them.

    Args:
        state: any.
        differentiate: make its real and complex tensors leaves that gather a gradient.
    """

    def cut(tensor: Tensor) -> Tensor:
        return tensor.detach().requires_grad_(differentiate and is_differentiable(tensor))

    return mapped(cut, state)


def is_differentiable(tensor: AnyTensor) -> bool:
    """Whether there can be a gradient: integers and truth values have none."""
    return tensor.is_floating_point() or tensor.is_complex()


def needs_gradient(state: State) -> bool:
    """Whether a gradient would flow to anything in it."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors(state))


def described(state: State) -> str:
    """Types and shapes, for messages: `complex64 (2, 1, 1, 24, 20)`."""
    if isinstance(state, Tensor):
        return f"{str(state.dtype).removeprefix('torch.')} {tuple(state.shape)}"
    if isinstance(state, dict):
        return f"{{{', '.join(f'{name}: {described(part)}' for name, part in state.items())}}}"
    if isinstance(state, list | tuple):
        return f"({', '.join(map(described, state))})"
    return type(state).__name__
