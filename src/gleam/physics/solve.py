"""Conjugate gradients for (AᴴA + λ) x = b, per example, with two gradients.

Inner products are taken per example: an image never depends on its batch-mates, and an example
that has converged stays where it is while the others go on.

A fixed, small number of steps is not the solution, so its gradient is not the solution's: it is
got exactly, by taking the same steps again in the backward pass (nothing is kept meanwhile) and
going back through them one by one. A solve to a tolerance *is* the solution, and its gradient is
one more solve: dx = (AᴴA + λ)⁻¹ (db − x dλ).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from gleam.arrays import Image

Operator = Callable[[Tensor], Tensor]
Weight = Float[Tensor, "#batch"] | Float[Tensor, ""]


@dataclass(frozen=True)
class _Step:
    """What the way back through a step needs: one vector, and numbers of each example."""

    direction: Tensor  # p
    energy: Tensor  # ρ, of the residual before the step
    curvature: Tensor  # ⟨p, operator(p)⟩
    alpha: Tensor  # ρ / curvature, the length of the step; zero for examples that are done
    beta: Tensor  # p was made from the residual and the p before it: r + β · p


def conjugate_gradients(
    operator: Operator,
    b: Image,
    steps: int,
    tolerance: float | None = None,
    trace: list[_Step] | None = None,
) -> Image:
    """Solve operator(x) = b from x = 0 (Hestenes & Stiefel 1952).

    Args:
        operator: complex linear, Hermitian, positive definite.
        b: right-hand side.
        steps: the most steps taken.
        tolerance: an example is done when ‖residual‖ ≤ tolerance · ‖b‖; None takes all steps,
            but for examples solved to the precision of the numbers.
        trace: filled with the steps, where they are needed again.
    """
    residual = _parts(b).clone()
    direction, x = residual.clone(), torch.zeros_like(residual)
    energy = _dot(residual, residual)
    beta, enough = torch.zeros_like(energy), (tolerance or torch.finfo(b.dtype).eps) ** 2 * energy
    for step in range(steps):
        running = energy > enough
        if tolerance and not running.any():  # asked only then: on a GPU the answer takes a wait
            break
        image = torch.view_as_real(operator(torch.view_as_complex(direction)))
        # The ones keep a division by zero out of examples that are done.
        energy = torch.where(running, energy, 1)
        curvature = torch.where(running, _dot(direction, image), 1)
        alpha = torch.where(running, energy / curvature, 0)
        if trace is not None:
            trace.append(_Step(direction, energy, curvature, alpha, beta))
        x.addcmul_(_each(alpha, x), direction)
        if step + 1 == steps:
            break
        residual.addcmul_(_each(alpha, x), image, value=-1)
        previous, energy = energy, torch.where(running, _dot(residual, residual), 0)
        beta = energy / previous
        direction = torch.addcmul(residual, _each(beta, x), direction)
    return torch.view_as_complex(x)


def solve_steps(normal: Operator, weight: Weight, b: Image, steps: int) -> Image:
    """`steps` steps of CG on (normal + weight) x = b, with the exact gradient of those steps.

    The weight is one number, or one of each example.
    """
    x: Tensor = _Steps.apply(b, weight.expand(len(b)), normal, steps)  # type: ignore[no-untyped-call]
    return x


def solve_to(
    normal: Operator, weight: Weight, b: Image, tolerance: float, steps: int = 1000
) -> Image:
    """Solve (normal + weight) x = b to ‖residual‖ ≤ tolerance ‖b‖, with the implicit gradient."""
    x: Tensor = _Solution.apply(b, weight.expand(len(b)), normal, tolerance, steps)  # type: ignore[no-untyped-call]
    return x


class _Steps(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, b: Tensor, weight: Tensor, normal: Operator, steps: int) -> Tensor:
        ctx.save_for_backward(b, weight)
        ctx.normal, ctx.steps = normal, steps
        return conjugate_gradients(_regularised(normal, weight), b, steps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        b, weight = ctx.saved_tensors
        operator = _regularised(ctx.normal, weight)
        trace: list[_Step] = []
        conjugate_gradients(operator, b, ctx.steps, trace=trace)
        return *_back(operator, _parts(gradient), trace), None, None


def _back(operator: Operator, gradient: Tensor, trace: list[_Step]) -> tuple[Tensor, Tensor]:
    """From the gradient of x to those of b and of the weight, step by step backwards.

    Reverse-mode differentiation of the loop in `conjugate_gradients`, written out: names that end
    in `_` are gradients of the loss with respect to the name before it. Residuals follow from the
    directions, and the images of the directions from the residuals, so neither was kept.
    """
    weight_, energy_ = gradient.new_zeros((2, len(gradient)))
    direction_, residual_ = torch.zeros_like(gradient), torch.zeros_like(gradient)
    after: _Step | None = None
    residual_after = residual = residual_
    for step, before in zip(reversed(trace), [*reversed(trace[:-1]), None], strict=True):
        p, alpha, running = step.direction, step.alpha, step.alpha > 0
        residual = p
        if before is not None:
            residual = torch.addcmul(p, _each(step.beta, p), before.direction, value=-1)
        image_, alpha_ = torch.zeros_like(p), _dot(gradient, p)
        if after is not None:
            residual_ += direction_
            beta_ = torch.where(running, _dot(direction_, p), 0) / step.energy
            direction_ *= _each(after.beta, p)
            residual_.addcmul_(_each(2 * (energy_ + beta_), p), residual_after)
            energy_ = -beta_ * after.beta
            alpha_ -= _dot(residual_, residual - residual_after) / torch.where(running, alpha, 1)
            image_.addcmul_(_each(alpha, p), residual_, value=-1)
        alpha_ = torch.where(running, alpha_, 0) / step.curvature
        energy_ = energy_ + alpha_
        curvature_ = -alpha_ * alpha
        weight_ += _dot(image_, p) + curvature_ * _dot(p, p)
        image_.addcmul_(_each(2 * curvature_, p), p)
        direction_.addcmul_(_each(alpha, p), gradient)
        direction_ += torch.view_as_real(operator(torch.view_as_complex(image_)))
        after, residual_after = step, residual
    residual_ += direction_  # the first residual and the first direction are both b
    residual_.addcmul_(_each(2 * energy_, residual), residual)
    return torch.view_as_complex(residual_), weight_


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
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        normal, tolerance, steps = ctx.settings
        adjoint = conjugate_gradients(_regularised(normal, weight), gradient, steps, tolerance)
        return adjoint, -_dot(_parts(adjoint), _parts(x)), None, None, None


def _regularised(normal: Operator, weight: Tensor) -> Operator:
    def operator(x: Tensor) -> Tensor:
        image, real = torch.view_as_real(normal(x)), torch.view_as_real(x)
        return torch.view_as_complex(torch.addcmul(image, _each(weight, real), real))

    return operator


def _parts(x: Tensor) -> Tensor:
    """Real and imaginary parts; autograd and users may hand over a lazy conjugate."""
    return torch.view_as_real(x.resolve_conj())


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """⟨a, b⟩ of every example, (batch,)."""
    return (a * b).flatten(1).sum(1)


def _each(factor: Tensor, like: Tensor) -> Tensor:
    """A factor per example, shaped to multiply vectors."""
    return factor.reshape(-1, *[1] * (like.ndim - 1))
