"""States that travel between modules: a tensor, or tuples, lists and dicts of states.

An unrolled network of this house hands an image on; others hand on k-space, an image with a memory,
or hidden states by name. Whatever is no tensor, and integers, travel along unchanged.
"""

from typing import Any

import torch
from torch import Tensor, nn

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


def unseen(state: State) -> str:
    """The type of an object in it that holds tensors, a dataclass say; empty where there is none.

    Such an object would travel along unchanged, graph and all.
    """
    if isinstance(state, Tensor):
        return ""
    if isinstance(state, dict | list | tuple):
        parts = state.values() if isinstance(state, dict) else state
        return next(filter(None, map(unseen, parts)), "")
    own = {} if isinstance(state, nn.Module | type) else getattr(state, "__dict__", {})
    return type(state).__name__ if tensors([*own.values()]) else ""
