"""Additive coupling: a ← a + f(b), b ← b + g(a), invertible whatever f and g are.

Source: Dinh, Krueger & Bengio, "NICE", arXiv 1410.8516; Gomez et al., "The reversible residual
network", arXiv 1707.04585, for the backward pass, in which one evaluation of g serves both to
find b and to differentiate.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gleam.arrays import AnyTensor, State
from gleam.physics.measurement import Measurement

Gradients = tuple[Tensor | None, ...]


@runtime_checkable  # the tests check types at run time
class Invertible(Protocol):
    """An iteration that can be undone, so that nothing need be kept for its backward pass.

    `check_invertible` of tests/networks/test_invertible.py holds each to this.
    """

    def back(
        self, output: State, gradient: State, measurement: Measurement
    ) -> tuple[State, State, Gradients]:
        """The input, the loss's gradient there, and the gradients of `parameters()`.

        Args:
            output: of the iteration.
            gradient: of the loss with respect to it.
            measurement: the same as in the forward pass.
        """

    def error_of_inverse(self, error: float, measurement: Measurement) -> float:
        """Relative error of the input found by `back`, from that of the output."""


class Coupling(nn.Module):
    """Two tensors of one shape move each other in turn.

    Args:
        f, g: (tensor, *given) → a tensor of the same shape; `given` is what comes with each call.
    """

    def __init__(self, f: nn.Module, g: nn.Module) -> None:
        super().__init__()
        self.f, self.g = f, g

    def forward(self, a: AnyTensor, b: AnyTensor, *given: object) -> tuple[AnyTensor, AnyTensor]:
        """The pair moved."""
        a = a + self.f(b, *given)
        return a, b + self.g(a, *given)

    def back(
        self,
        pair: tuple[AnyTensor, AnyTensor],
        gradients: tuple[AnyTensor, AnyTensor],
        *given: object,
    ) -> tuple[tuple[AnyTensor, AnyTensor], tuple[AnyTensor, AnyTensor], Gradients]:
        """The input pair, from an output pair.

        Returns:
            The pair that went in, the loss's gradient there, and the gradients of `parameters()`.
        """
        (a, b), (a_, b_) = pair, gradients  # names that end in _ are gradients of the loss
        change, through, of_g = pull(lambda a: self.g(a, *given), a, b_, list(self.g.parameters()))
        b, a_ = b - change, a_ + through
        change, through, of_f = pull(lambda b: self.f(b, *given), b, a_, list(self.f.parameters()))
        return (a - change, b), (a_, b_ + through), (*of_f, *of_g)


def pull(
    function: Callable[[Tensor], Tensor],
    at: AnyTensor,
    gradient: AnyTensor,
    weights: Sequence[nn.Parameter],
) -> tuple[AnyTensor, AnyTensor, Gradients]:
    """Evaluate a function and pull the gradient of its value back.

    Returns:
        The value, the gradient with respect to `at`, and those of the weights (None for one that
        was not used).
    """
    with torch.enable_grad():
        at = at.detach().requires_grad_()
        value = function(at)
    back = torch.autograd.grad(value, [at, *weights], gradient, allow_unused=True)
    first = torch.zeros_like(at) if back[0] is None else back[0]
    return value.detach(), first, tuple(back[1:])
