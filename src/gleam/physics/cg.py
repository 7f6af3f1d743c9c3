"""Conjugate gradients, and the derivatives of a number of steps, backwards and forwards.

Every example, every frame and every position along an axis that is not coupled is a linear system
of its own, and inner products are taken per system: an image depends neither on its batch-mates
nor on how a volume was cut along its readout, and a system that has converged stays where it is
while the others go on.

A fixed number of steps never waits for a GPU, and takes the same kernels whatever the numbers are.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from gleam.arrays import AnyTensor, Image
from gleam.physics.fourier import Axes

Operator = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class CgStep:
    """Facts that the way back through a step needs: one vector, and numbers of each system."""

    direction: Tensor  # p
    energy: Tensor  # ρ, of the residual before the step
    curvature: Tensor  # ⟨p, operator(p)⟩
    alpha: Tensor  # ρ / curvature, the length of the step; zero for systems that are done
    beta: Tensor  # p was made from the residual and the p before it: r + β · p
    done: Tensor  # systems that take this step no more


def conjugate_gradients(
    operator: Operator,
    b: Image,
    axes: Axes,
    steps: int,
    tolerance: float | None = None,
    trace: list[CgStep] | None = None,
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
    residual = parts(b).clone()
    direction, x = residual.clone(), torch.zeros_like(residual)
    energy = _dot(residual, residual, axes)
    number = torch.finfo(b.dtype)
    # Nothing divides by what has no digits left: where there is no signal, systems may be tiny.
    enough = ((tolerance or number.eps) ** 2 * energy).clamp_min(number.tiny / number.eps)
    beta = torch.zeros_like(energy)
    for step in range(steps):
        done = energy <= enough
        if tolerance and done.all():  # asked only then: on a GPU the answer takes a wait
            break
        image = torch.view_as_real(operator(torch.view_as_complex(direction)))
        # The ones keep a division by zero out of systems that are done.
        energy = energy.masked_fill(done, 1)
        curvature = _dot(direction, image, axes).masked_fill(done, 1)
        alpha = (energy / curvature).masked_fill(done, 0)
        if trace is not None:
            trace.append(CgStep(direction, energy, curvature, alpha, beta, done))
        x = _added(x, alpha, direction)
        if step + 1 == steps:
            break
        residual = _added(residual, alpha, image, -1)
        previous, energy = energy, _dot(residual, residual, axes).masked_fill(done, 0)
        beta = energy / previous
        direction = torch.addcmul(residual, beta, direction)
    return torch.view_as_complex(x)


def back(
    operator: Operator, gradient: Float[Tensor, "*system 2"], axes: Axes, trace: list[CgStep]
) -> tuple[Image, Float[Tensor, "batch"]]:
    """Gradients of b and of the weight from that of x, step by step backwards.

    Reverse-mode differentiation of the loop in `conjugate_gradients`, written out: names that end
    in `_` are gradients of the loss with respect to the name before it. Residuals follow from the
    directions, and the images of the directions from the residuals, so neither was kept.
    """
    weight_, energy_ = (torch.zeros_like(trace[0].energy) for _ in range(2))
    direction_, residual_ = torch.zeros_like(gradient), torch.zeros_like(gradient)
    after: CgStep | None = None
    residual_after = residual = residual_
    for step, before in zip(reversed(trace), [*reversed(trace[:-1]), None], strict=True):
        p, alpha, done = step.direction, step.alpha, step.done
        residual = p
        if before is not None:
            residual = torch.addcmul(p, step.beta, before.direction, value=-1)
        image_, alpha_ = torch.zeros_like(p), _dot(gradient, p, axes)
        if after is not None:
            residual_ += direction_
            beta_ = _dot(direction_, p, axes).masked_fill(done, 0) / step.energy
            direction_ *= after.beta
            residual_.addcmul_(2 * (energy_ + beta_), residual_after)
            energy_ = -beta_ * after.beta
            drop = _dot(residual_, residual - residual_after, axes)
            alpha_ -= drop / alpha.masked_fill(done, 1)
            image_.addcmul_(alpha, residual_, value=-1)
        alpha_ = alpha_.masked_fill(done, 0) / step.curvature
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


def forth(
    operator: Operator,
    of_b: Float[Tensor, "*system 2"],
    of_weight: AnyTensor,
    axes: Axes,
    trace: list[CgStep],
) -> Image:
    """The small change of x from those of b and of the weight, along the steps.

    Forward-mode differentiation of the same loop; names that begin with `d_` are the changes.
    """
    d_weight = of_weight.reshape(-1, *[1] * (of_b.ndim - 1))
    d_x, d_residual, d_direction = torch.zeros_like(of_b), of_b, of_b
    residual = trace[0].direction
    d_energy = 2 * _dot(residual, d_residual, axes)
    for step, after in zip(trace, [*trace[1:], None], strict=True):
        p, alpha, done = step.direction, step.alpha, step.done
        d_image = torch.view_as_real(operator(torch.view_as_complex(d_direction.contiguous())))
        d_image = torch.addcmul(d_image, d_weight, p)
        d_curvature = 2 * _dot(p, d_image, axes) - d_weight * _dot(p, p, axes)
        d_alpha = ((d_energy - alpha * d_curvature) / step.curvature).masked_fill(done, 0)
        d_x = d_x + d_alpha * p + alpha * d_direction
        if after is None:
            break
        residual_after = torch.addcmul(after.direction, after.beta, p, value=-1)
        of_length = d_alpha / alpha.masked_fill(done, 1)
        d_residual = d_residual - alpha * d_image - of_length * (residual - residual_after)
        d_before, d_energy = d_energy, 2 * _dot(residual_after, d_residual, axes)
        d_beta = ((d_energy - after.beta * d_before) / step.energy).masked_fill(done, 0)
        d_direction = d_residual + d_beta * p + after.beta * d_direction
        residual = residual_after
    return torch.view_as_complex(d_x)


def _added(y: Tensor, factor: Tensor, x: Tensor, sign: int = 1) -> Tensor:
    """y ± factor · x, in the memory of y, unless autograd may need y as it was."""
    if torch.is_grad_enabled():
        return torch.addcmul(y, factor, x, value=sign)
    return y.addcmul_(factor, x, value=sign)


def parts(x: Complex[Tensor, "*any"]) -> Float[Tensor, "*any 2"]:
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
