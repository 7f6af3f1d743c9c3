"""Conjugate gradients for (AᴴA + λ) x = b, system by system, with two gradients.

AᴴA couples map sets, and positions along the axes in k-space (`Sense.axes`). Every example, every
frame and every position along a decoded axis is a linear system of its own, and inner products are
taken per system: an image depends neither on its batch-mates nor on how a volume was cut along its
readout, and a system that has converged stays where it is while the others go on.

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
from gleam.physics.fourier import Axes

Operator = Callable[[Tensor], Tensor]
Weight = Float[Tensor, "#batch"] | Float[Tensor, ""]


@dataclass(frozen=True)
class _Step:
    """What the way back through a step needs: one vector, and numbers of each system."""

    direction: Tensor  # p
    energy: Tensor  # ρ, of the residual before the step
    curvature: Tensor  # ⟨p, operator(p)⟩
    alpha: Tensor  # ρ / curvature, the length of the step; zero for systems that are done
    beta: Tensor  # p was made from the residual and the p before it: r + β · p


def conjugate_gradients(
    operator: Operator,
    b: Image,
    axes: Axes,
    steps: int,
    tolerance: float | None = None,
    trace: list[_Step] | None = None,
) -> Image:
    """Solve operator(x) = b from x = 0 (Hestenes & Stiefel 1952).

    Args:
        operator: complex linear, Hermitian, positive definite.
        b: right-hand side.
        axes: the space axes along which the operator couples positions.
        steps: the most steps taken.
        tolerance: a system is done when its ‖residual‖ ≤ tolerance · ‖b‖; None takes all steps,
            but for systems solved to the precision of the numbers.
        trace: filled with the steps, where they are needed again.
    """
    residual = _parts(b).clone()
    direction, x = residual.clone(), torch.zeros_like(residual)
    energy = _dot(residual, residual, axes)
    number = torch.finfo(b.dtype)
    # Nothing divides by what has no digits left: where there is no signal, systems may be tiny.
    enough = ((tolerance or number.eps) ** 2 * energy).clamp_min(number.tiny / number.eps)
    beta = torch.zeros_like(energy)
    for step in range(steps):
        running = energy > enough
        if tolerance and not running.any():  # asked only then: on a GPU the answer takes a wait
            break
        image = torch.view_as_real(operator(torch.view_as_complex(direction)))
        # The ones keep a division by zero out of systems that are done.
        energy = torch.where(running, energy, 1)
        curvature = torch.where(running, _dot(direction, image, axes), 1)
        alpha = torch.where(running, energy / curvature, 0)
        if trace is not None:
            trace.append(_Step(direction, energy, curvature, alpha, beta))
        x.addcmul_(alpha, direction)
        if step + 1 == steps:
            break
        residual.addcmul_(alpha, image, value=-1)
        previous, energy = energy, torch.where(running, _dot(residual, residual, axes), 0)
        beta = energy / previous
        direction = torch.addcmul(residual, beta, direction)
    return torch.view_as_complex(x)


def solve_steps(normal: Operator, weight: Weight, b: Image, axes: Axes, steps: int) -> Image:
    """`steps` steps of CG on (normal + weight) x = b, with the exact gradient of those steps.

    Args:
        normal: AᴴA.
        weight: λ, one number, or one of each example.
        b: right-hand side.
        axes: the space axes along which `normal` couples positions.
        steps: how many.
    """
    x: Tensor = _Steps.apply(b, weight.expand(len(b)), normal, axes, steps)  # type: ignore[no-untyped-call]
    return x


def solve_to(
    normal: Operator, weight: Weight, b: Image, axes: Axes, tolerance: float, steps: int = 1000
) -> Image:
    """Solve (normal + weight) x = b to ‖residual‖ ≤ tolerance ‖b‖, with the implicit gradient.

    The arguments are those of `solve_steps`.
    """
    x: Tensor = _Solution.apply(b, weight.expand(len(b)), normal, axes, tolerance, steps)  # type: ignore[no-untyped-call]
    return x


class _Steps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, b: Tensor, weight: Tensor, normal: Operator, axes: Axes, steps: int
    ) -> Tensor:
        ctx.save_for_backward(b, weight)
        ctx.settings = normal, axes, steps
        return conjugate_gradients(_regularised(normal, weight), b, axes, steps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        b, weight = ctx.saved_tensors
        normal, axes, steps = ctx.settings
        operator = _regularised(normal, weight)
        trace: list[_Step] = []
        conjugate_gradients(operator, b, axes, steps, trace=trace)
        return *_back(operator, _parts(gradient), axes, trace), None, None, None


def _back(
    operator: Operator, gradient: Tensor, axes: Axes, trace: list[_Step]
) -> tuple[Tensor, Tensor]:
    """From the gradient of x to those of b and of the weight, step by step backwards.

    Reverse-mode differentiation of the loop in `conjugate_gradients`, written out: names that end
    in `_` are gradients of the loss with respect to the name before it. Residuals follow from the
    directions, and the images of the directions from the residuals, so neither was kept.
    """
    weight_, energy_ = (torch.zeros_like(trace[0].energy) for _ in range(2))
    direction_, residual_ = torch.zeros_like(gradient), torch.zeros_like(gradient)
    after: _Step | None = None
    residual_after = residual = residual_
    for step, before in zip(reversed(trace), [*reversed(trace[:-1]), None], strict=True):
        p, alpha, running = step.direction, step.alpha, step.alpha > 0
        residual = p
        if before is not None:
            residual = torch.addcmul(p, step.beta, before.direction, value=-1)
        image_, alpha_ = torch.zeros_like(p), _dot(gradient, p, axes)
        if after is not None:
            residual_ += direction_
            beta_ = torch.where(running, _dot(direction_, p, axes), 0) / step.energy
            direction_ *= after.beta
            residual_.addcmul_(2 * (energy_ + beta_), residual_after)
            energy_ = -beta_ * after.beta
            drop = _dot(residual_, residual - residual_after, axes)
            alpha_ -= drop / torch.where(running, alpha, 1)
            image_.addcmul_(alpha, residual_, value=-1)
        alpha_ = torch.where(running, alpha_, 0) / step.curvature
        energy_ = energy_ + alpha_
        curvature_ = -alpha_ * alpha
        weight_ += _dot(image_, p, axes) + curvature_ * _dot(p, p, axes)
        image_.addcmul_(2 * curvature_, p)
        direction_.addcmul_(alpha, gradient)
        direction_ += torch.view_as_real(operator(torch.view_as_complex(image_)))
        after, residual_after = step, residual
    residual_ += direction_  # the first residual and the first direction are both b
    residual_.addcmul_(2 * energy_, residual)
    of_examples = weight_.mean(-1).flatten(1).sum(1)  # the last axis holds copies: see `_dot`
    return torch.view_as_complex(residual_), of_examples


class _Solution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        b: Tensor,
        weight: Tensor,
        normal: Operator,
        axes: Axes,
        tolerance: float,
        steps: int,
    ) -> Tensor:
        x = conjugate_gradients(_regularised(normal, weight), b, axes, steps, tolerance)
        ctx.save_for_backward(x, weight)
        ctx.settings = normal, axes, steps, tolerance
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        normal, *settings = ctx.settings
        adjoint = conjugate_gradients(_regularised(normal, weight), gradient, *settings)
        of_weight = -(_parts(adjoint) * _parts(x)).flatten(1).sum(1)
        return adjoint, of_weight, None, None, None, None


def _regularised(normal: Operator, weight: Tensor) -> Operator:
    """`normal` plus the weight of each example, (batch,)."""

    def operator(x: Tensor) -> Tensor:
        image, real = torch.view_as_real(normal(x)), torch.view_as_real(x)
        factor = weight.reshape(-1, *[1] * x.ndim)
        return torch.view_as_complex(torch.addcmul(image, factor, real))

    return operator


def _parts(x: Tensor) -> Tensor:
    """Real and imaginary parts; autograd and users may hand over a lazy conjugate."""
    return torch.view_as_real(x.resolve_conj())


def _dot(a: Tensor, b: Tensor, axes: Axes) -> Tensor:
    """⟨a, b⟩ of every system; axes that it runs over stay, with length 1.

    Where each x has systems of its own, numbers stand beside each other once for the real and once
    for the imaginary part: so vectors are multiplied by them in the order they lie in memory.
    """
    product = a * b
    over = (1, *(axis - 1 for axis in axes))  # the last axis here is that of the two parts
    if -1 in axes:
        return product.sum((*over, -1), keepdim=True)
    parts = product.sum(over, keepdim=True)
    return parts + parts.flip(-1)
