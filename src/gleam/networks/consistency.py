"""One iteration of an unrolled network: data consistency with y = A x, and a regulariser R."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gleam.arrays import Image, Scalar
from gleam.errors import BadInput
from gleam.physics.measurement import Measurement
from gleam.physics.noise import USUAL_NOISE, known
from gleam.physics.solve import solve_steps, solve_to


class ModelBased(nn.Module):
    """MoDL: z = R(x), x ← argmin ‖A x − y‖² + λ ‖x − z‖² (Aggarwal, Mani & Jacob 2019).

    The minimiser is z + d with (AᴴA + λ) d = Aᴴy − AᴴA z; conjugate gradients start at d = 0,
    that is at z.

    How far to trust the data depends on their noise: as a maximum a posteriori estimate λ is
    σ² / τ², where τ is how far R(x) still is from the truth. So λ = exp(a) · (σ / 0.05)ᵇ with a
    and b learnt, and σ the noise level of each scan; exp(a) alone where that is unknown.

    >>> iteration = gleam.ModelBased(torch.nn.Identity(), weight=0.05, steps=5)
    >>> iteration(gleam.zero_filled(A), A).shape  # (batch, set, frame, *space)
    torch.Size([2, 1, 1, 32, 48])

    Args:
        regulariser: R.
        weight: λ at the start and at σ = 0.05, > 0; b starts at 1.
        steps: CG steps, differentiated exactly.
        tolerance: solve to this relative residual instead, with the implicit gradient.
        gradient_input: R also sees the gradient AᴴA x − Aᴴy; costs one more AᴴA.

    Raises:
        BadInput: the weight is not above 0.
    """

    def __init__(
        self,
        regulariser: nn.Module,
        weight: float,
        steps: int,
        tolerance: float | None = None,
        gradient_input: bool = False,
    ) -> None:
        super().__init__()
        if not weight > 0:
            raise BadInput(f"ModelBased: weight is {weight}; it is learnt as exp(a), so above 0")
        self.regulariser = regulariser
        self.log_weight = nn.Parameter(torch.tensor(math.log(weight)))
        self.noise_power = nn.Parameter(torch.tensor(1.0))
        self.steps = steps
        self.tolerance = tolerance
        self.gradient_input = gradient_input

    def forward(self, image: Image, measurement: Measurement, *others: Image) -> Image:
        """One iteration; (batch, set, frame, *space) → the same shape. R sees the others, too."""
        if self.gradient_input:
            others = (gradient(image, measurement), *others)
        return self.consistent(self.regulariser(image, *others), measurement)

    def consistent(self, prior: Image, measurement: Measurement) -> Image:
        """argmin ‖A x − y‖² + λ ‖x − prior‖²."""
        normal, axes = measurement.sense.normal, measurement.sense.axes
        residual = measurement.adjoint - normal(prior)
        weight = self.weight(measurement)
        if self.tolerance is None:
            return prior + solve_steps(normal, weight, residual, axes, self.steps)
        return prior + solve_to(normal, weight, residual, axes, self.tolerance)

    def weight(self, measurement: Measurement) -> Float[Tensor, "#batch"] | Scalar:
        """λ of each example."""
        if measurement.noise is None:
            return self.log_weight.exp()
        level = (known(measurement.noise) / USUAL_NOISE).clamp(1e-2, 1e2).log()
        return (self.log_weight + self.noise_power * level).exp()


class ProximalGradient(nn.Module):
    """PGD: x ← R(x − μ (AᴴA x − Aᴴy)), μ learnt (start at 1: AᴴA ≤ 1, and 2 is unstable).

    >>> iteration = gleam.ProximalGradient(torch.nn.Identity(), step=1.0)
    >>> iteration(gleam.zero_filled(A), A).shape  # (batch, set, frame, *space)
    torch.Size([2, 1, 1, 32, 48])

    Args:
        regulariser: R.
        step: μ at the start.
        gradient_input: R also sees the gradient AᴴA x − Aᴴy; it is there already.
    """

    def __init__(self, regulariser: nn.Module, step: float, gradient_input: bool = False) -> None:
        super().__init__()
        self.regulariser = regulariser
        self.step = nn.Parameter(torch.tensor(step))
        self.gradient_input = gradient_input

    def forward(self, image: Image, measurement: Measurement, *others: Image) -> Image:
        """One iteration; (batch, set, frame, *space) → the same shape. R sees the others, too."""
        if not self.gradient_input:
            return self._regularised(self.consistent(image, measurement), *others)
        down = gradient(image, measurement)
        return self._regularised(image - self.length() * down, down, *others)

    def consistent(self, image: Image, measurement: Measurement) -> Image:
        """x − μ (AᴴA x − Aᴴy)."""
        return image - self.length() * gradient(image, measurement)

    def length(self) -> Scalar:
        """μ."""
        return self.step

    def _regularised(self, *images: Image) -> Image:
        result: Image = self.regulariser(*images)
        return result


def gradient(image: Image, measurement: Measurement) -> Image:
    """AᴴA x − Aᴴy: that of ½ ‖A x − y‖²."""
    return measurement.sense.normal(image) - measurement.adjoint
