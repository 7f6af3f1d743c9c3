"""States that travel between modules: a tensor, or tuples, lists and dicts of states.

An unrolled network of this house hands an image on; others hand on k-space, an image with a memory,
or hidden states by name. Whatever is no tensor, and integers, travel along unchanged.
"""

from typing import Any

import torch
from torch import Tensor

from gleam.arrays import AnyTensor, mapped, tensors

State = Any


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
