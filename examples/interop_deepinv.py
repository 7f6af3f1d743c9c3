"""GLEAM's operators in DeepInverse, and DeepInverse's in GLEAM.

    pip install deepinv

A SENSE model becomes a `LinearPhysics`, whose solvers and networks then see it; any `LinearPhysics`
becomes a `gleam.LinearOperator`.
"""

import deepinv
import torch

import gleam


def to_deepinv(operator: gleam.LinearOperator) -> deepinv.physics.LinearPhysics:
    """A and Aᴴ, as DeepInverse calls them."""
    return deepinv.physics.LinearPhysics(
        A=lambda x, **_: operator(x),
        A_adjoint=lambda y, **_: operator.H(y),
        max_iter=50,
    )


class FromDeepinv(gleam.LinearOperator):
    """A `LinearPhysics` of DeepInverse."""

    def __init__(self, physics: deepinv.physics.LinearPhysics) -> None:
        self.physics = physics

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """A x."""
        return self.physics.A(x)

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Aᴴ y."""
        return self.physics.A_adjoint(y)


def main(size: int = 64, acceleration: float = 2.0) -> dict[str, float]:
    """Print and return what is off: their solution of our model, and their blur as ours."""
    data = gleam.prepare(gleam.simulate((size, size), slices=1))
    measurement, _ = data.measure(gleam.mask(acceleration=acceleration))
    A, weight = measurement.sense, 0.1

    physics = to_deepinv(A)  # argmin ‖A x − y‖² + weight · ‖x‖², by their conjugate gradients
    y = A(gleam.cg_sense(measurement))
    theirs = physics.prox_l2(z=torch.zeros_like(A.H(y)), y=y, gamma=1 / weight)
    residual = A.gram(theirs) + weight * theirs - A.H(y)

    blur = FromDeepinv(deepinv.physics.Blur(torch.ones(1, 1, 3, 3) / 9, padding="circular"))
    x, y_blurred = torch.randn(2, 1, 1, size, size)
    gap = (blur(x) * y_blurred).sum() - (x * blur.H(y_blurred)).sum()
    differences = {
        "solved by DeepInverse": float(residual.norm() / A.H(y).norm()),
        "adjoint of DeepInverse's blur": float(gap.abs() / (x.norm() * y_blurred.norm())),
    }
    for what, difference in differences.items():
        print(f"{what}: {difference:.1e} off")
    return differences


if __name__ == "__main__":
    main()
