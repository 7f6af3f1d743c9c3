"""Conjugate gradients for (AᴴA + λ) x = b, per example, with two gradients.

Inner products are taken per example: an image never depends on its batch-mates, and an example
that has converged stays where it is while the others go on.

A fixed, small number of steps is not the solution, so its gradient is not the solution's: it is
got exactly, by running the same steps again in the backward pass (nothing is kept meanwhile).
A solve to a tolerance *is* the solution, and its gradient is one more solve:
dx = (AᴴA + λ)⁻¹ (db − x dλ).
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gleam.arrays import Image

Operator = Callable[[Tensor], Tensor]
Scalar = Float[Tensor, ""]


def conjugate_gradients(
    operator: Operator, b: Image, steps: int, tolerance: float | None = None
) -> Image:
    """Solve operator(x) = b from x = 0 (Hestenes & Stiefel 1952).

    Args:
        operator: Hermitian positive definite, differentiable.
        b: right-hand side.
        steps: the most steps taken.
        tolerance: an example is done when ‖residual‖ ≤ tolerance · ‖b‖; None takes all steps,
            but for examples solved to the precision of the numbers.
    """
    x, residual, direction = torch.zeros_like(b), b, b
    energy = _dot(residual, residual)
    enough = (tolerance or torch.finfo(b.dtype).eps) ** 2 * energy.detach()
    for step in range(steps):
        running = energy > enough
        if tolerance and not running.any():  # asked only then: on a GPU the answer takes a wait
            break
        image = operator(direction)
        # The ones keep a division by zero, and its gradient, out of examples that are done.
        curvature = torch.where(running, _dot(direction, image), 1)
        alpha = torch.where(running, energy / curvature, 0)
        x = x + _times(alpha, direction)
        if step + 1 == steps:
            break
        residual = residual - _times(alpha, image)
        previous, energy = torch.where(running, energy, 1), _dot(residual, residual)
        direction = residual + _times(torch.where(running, energy / previous, 0), direction)
    return x


def solve_steps(normal: Operator, weight: Scalar, b: Image, steps: int) -> Image:
    """`steps` steps of CG on (normal + weight) x = b, with the exact gradient of those steps."""
    x: Tensor = _Steps.apply(b, weight, normal, steps)  # type: ignore[no-untyped-call]
    return x


def solve_to(
    normal: Operator, weight: Scalar, b: Image, tolerance: float, steps: int = 1000
) -> Image:
    """Solve (normal + weight) x = b to ‖residual‖ ≤ tolerance ‖b‖, with the implicit gradient."""
    x: Tensor = _Solution.apply(b, weight, normal, tolerance, steps)  # type: ignore[no-untyped-call]
    return x


class _Steps(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, b: Tensor, weight: Tensor, normal: Operator, steps: int) -> Tensor:
        ctx.save_for_backward(b, weight)
        ctx.normal, ctx.steps = normal, steps
        return conjugate_gradients(_regularised(normal, weight), b, steps)

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs = [t.detach().requires_grad_() for t in ctx.saved_tensors]
        with torch.enable_grad():
            b, weight = inputs
            x = conjugate_gradients(_regularised(ctx.normal, weight), b, ctx.steps)
        return *torch.autograd.grad(x, inputs, gradient[0]), None, None


class _Solution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, b: Tensor, weight: Tensor, normal: Operator, tolerance: float, steps: int
    ) -> Tensor:
        x = conjugate_gradients(_regularised(normal, weight), b, steps, tolerance)
        ctx.save_for_backward(x, weight)
        ctx.settings = normal, tolerance, steps
        return x

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        normal, tolerance, steps = ctx.settings
        adjoint = conjugate_gradients(_regularised(normal, weight), gradient[0], steps, tolerance)
        return adjoint, -_dot(adjoint, x).sum(), None, None, None


def _regularised(normal: Operator, weight: Tensor) -> Operator:
    return lambda x: normal(x) + weight * x


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Re⟨a, b⟩ of every example, (batch,)."""
    return (torch.view_as_real(a) * torch.view_as_real(b)).flatten(1).sum(1)


def _times(factor: Tensor, image: Tensor) -> Tensor:
    return factor.reshape(-1, *[1] * (image.ndim - 1)) * image
