"""Solves of (AᴴA + λ) x = b by conjugate gradients, with two gradients.

A fixed, small number of steps is not the solution, so its gradient is not the solution's: it is
got exactly, by taking the same steps again in the backward pass (nothing is kept meanwhile) and
going back through them one by one. A solve to a tolerance *is* the solution, and its gradient is
one more solve: dx = (AᴴA + λ)⁻¹ (db − x dλ).

Both can be differentiated forwards and twice (the steps then by autograd itself, which keeps them),
and mapped over by `torch.func.vmap`.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gleam.arrays import Image
from gleam.physics.cg import CgStep, Operator, back, conjugate_gradients, forth, parts
from gleam.physics.fourier import Axes

Weight = Float[Tensor, "#batch"] | Float[Tensor, ""]


def solve_steps(normal: Operator, weight: Weight, b: Image, axes: Axes, steps: int) -> Image:
    """`steps` steps of CG on (normal + weight) x = b, with the exact gradient of those steps.

    Args:
        normal: AᴴA.
        weight: λ, one number, or one of each example.
        b: right-hand side.
        axes: the space axes along which `normal` couples positions.
        steps: how many.
    """
    x: Tensor = _Steps.apply(b, weight.expand(len(b)), _Solver(normal, axes, steps))  # type: ignore[no-untyped-call]
    return x


def solve_to(
    normal: Operator, weight: Weight, b: Image, axes: Axes, tolerance: float, steps: int = 1000
) -> Image:
    """Solve (normal + weight) x = b to ‖residual‖ ≤ tolerance ‖b‖, with the implicit gradient.

    The arguments are those of `solve_steps`.
    """
    solver = _Solver(normal, axes, steps, tolerance)
    x: Tensor = _Solution.apply(b, weight.expand(len(b)), solver)  # type: ignore[no-untyped-call]
    return x


@dataclass(frozen=True)
class _Solver:
    normal: Operator
    axes: Axes
    steps: int
    tolerance: float | None = None

    def operator(self, weight: Tensor) -> Operator:
        """`normal` plus the weight of each example, (batch,)."""

        def operator(x: Tensor) -> Tensor:
            image, real = torch.view_as_real(self.normal(x)), torch.view_as_real(x)
            factor = weight.reshape(-1, *[1] * x.ndim)
            return torch.view_as_complex(torch.addcmul(image, factor, real))

        return operator

    def __call__(self, b: Tensor, weight: Tensor, trace: list[CgStep] | None = None) -> Tensor:
        operator = self.operator(weight)
        return conjugate_gradients(operator, b, self.axes, self.steps, self.tolerance, trace)

    def trace(self, b: Tensor, weight: Tensor) -> list[CgStep]:
        """The steps once more."""
        trace: list[CgStep] = []
        self(b, weight, trace)
        return trace


class _Steps(torch.autograd.Function):
    @staticmethod
    def forward(b: Tensor, weight: Tensor, solver: _Solver) -> Tensor:
        return solver(b, weight)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, _Solver], output: Tensor) -> None:
        b, weight, ctx.solver = inputs
        ctx.save_for_backward(b, weight)
        ctx.save_for_forward(b, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (gradient,), (b, weight), solver = gradients, ctx.saved_tensors, ctx.solver
        if torch.is_grad_enabled():  # the gradient may be differentiated in its turn
            pull = torch.func.vjp(solver, b, weight)[1]
            of_b, of_weight = pull(gradient)
        else:
            trace = solver.trace(b, weight)
            of_b, of_weight = back(solver.operator(weight), parts(gradient), solver.axes, trace)
        return of_b, of_weight, None

    @staticmethod
    def jvp(ctx: Any, of_b: Tensor | None, of_weight: Tensor | None, _: None) -> Tensor:
        (b, weight), solver = ctx.saved_tensors, ctx.solver
        of_b = torch.zeros_like(b) if of_b is None else of_b
        of_weight = torch.zeros_like(weight) if of_weight is None else of_weight
        trace = solver.trace(b, weight)
        return forth(solver.operator(weight), parts(of_b), of_weight, solver.axes, trace)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Tensor, int]:
        return _mapped(_Steps, info.batch_size, in_dims, *inputs)


class _Solution(torch.autograd.Function):
    @staticmethod
    def forward(b: Tensor, weight: Tensor, solver: _Solver) -> Tensor:
        return solver(b, weight)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, _Solver], output: Tensor) -> None:
        _, weight, ctx.solver = inputs
        ctx.save_for_backward(output, weight)
        ctx.save_for_forward(output, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        adjoint = _Solution.apply(gradients[0], weight, ctx.solver)  # type: ignore[no-untyped-call]
        return adjoint, -(parts(adjoint) * parts(x)).flatten(1).sum(1), None

    @staticmethod
    def jvp(ctx: Any, of_b: Tensor | None, of_weight: Tensor | None, _: None) -> Tensor:
        x, weight = ctx.saved_tensors
        right = torch.zeros_like(x) if of_b is None else of_b
        if of_weight is not None:
            right = right - of_weight.reshape(-1, *[1] * (x.ndim - 1)) * x
        change: Tensor = _Solution.apply(right, weight, ctx.solver)  # type: ignore[no-untyped-call]
        return change

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Tensor, int]:
        return _mapped(_Solution, info.batch_size, in_dims, *inputs)


def _mapped(
    function: type[torch.autograd.Function],
    count: int,
    in_dims: tuple[int | None, ...],
    b: Tensor,
    weight: Tensor,
    solver: _Solver,
) -> tuple[Tensor, int]:
    """Fold what is mapped over into the batch, as further examples: all systems are apart
    anyway."""

    def folded(x: Tensor, dim: int | None) -> Tensor:
        x = x.expand(count, *x.shape) if dim is None else x.movedim(dim, 0)
        return x.flatten(0, 1)

    def apart(x: Tensor) -> Tensor:
        return x.reshape(count, -1, *x.shape[1:])

    def normal(x: Tensor) -> Tensor:
        mapped: Tensor = torch.vmap(solver.normal)(apart(x))
        return mapped.flatten(0, 1)

    right, weights = folded(b, in_dims[0]), folded(weight, in_dims[1])
    return apart(function.apply(right, weights, replace(solver, normal=normal))), 0  # type: ignore[no-untyped-call]
