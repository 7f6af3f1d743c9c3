"""Model-based and proximal-gradient iterations that can be undone: memory-efficient learning.

Source: Kellman et al., "Memory-efficient learning for large-scale computational imaging",
arXiv 2003.05551; Zhang et al., "Memory-efficient learning for high-dimensional MRI
reconstruction", arXiv 2103.04003. The CNN is made invertible by coupling the real and the
imaginary part; data consistency is inverted as it stands, which amplifies errors. So
`error_of_inverse` says by how much, and whoever undoes several iterations must keep an image
whenever the error has grown too large.
"""

import torch
from torch import Tensor, nn

from gleam.arrays import Image, Scalar
from gleam.networks.consistency import ModelBased, ProximalGradient
from gleam.networks.coupling import Coupling, Gradients, pull
from gleam.networks.regulariser import Convolved, from_channels, to_channels
from gleam.physics.measurement import Measurement
from gleam.physics.solve import solve_to

HIGHEST_STEP = 0.9  # of PGD: at 1 nothing is left of what the scan sampled
SOLVED = 16  # times the precision of the numbers: where the solve in PGD's inverse stops


class CoupledRegulariser(nn.Module):
    """R(x): real parts += f(imaginary parts), imaginary parts += g(real parts).

    Args:
        f, g: on (images, set, *grid).
    """

    def __init__(self, f: Convolved, g: Convolved) -> None:
        super().__init__()
        self.coupling = Coupling(f, g)
        self.dimensions, self.circular = f.dimensions, f.circular

    def forward(self, image: Image) -> Image:
        """(batch, set, frame, *space) → the same shape."""
        return self._join(self.coupling(*self._parts(image)), image)

    def back(self, output: Image, gradient: Image) -> tuple[Image, Image, Gradients]:
        """The input, the loss's gradient there, and the gradients of `parameters()`."""
        before, first, weights = self.coupling.back(self._parts(output), self._parts(gradient))
        return self._join(before, output), self._join(first, output), weights

    def _parts(self, image: Tensor) -> tuple[Tensor, Tensor]:
        channels = to_channels(image, self.dimensions, self.circular)
        return channels[:, 0::2], channels[:, 1::2]

    def _join(self, parts: tuple[Tensor, Tensor], like: Tensor) -> Tensor:
        return from_channels(torch.stack(parts, 2).flatten(1, 2), like)


class InvertibleModelBased(ModelBased):
    """`ModelBased` with a `CoupledRegulariser`, solved to a tolerance.

    x = argmin ‖A x − y‖² + λ ‖x − z‖² gives z = ((AᴴA + λ) x − Aᴴy) / λ. Where nothing was sampled
    x is z; where all was, an error in x comes back (1 + λ) / λ times as large.
    """

    regulariser: CoupledRegulariser

    def back(
        self, output: Image, gradient: Image, measurement: Measurement
    ) -> tuple[Image, Image, Gradients]:
        """See `Invertible`."""
        weight = self.weight(measurement).detach().reshape(-1, *[1] * (output.ndim - 1))
        normal, adjoint = measurement.sense.normal, measurement.adjoint
        prior = output + (normal(output) - adjoint) / weight
        own = [self.log_weight, self.noise_power]
        _, gradient, first = pull(
            lambda prior: self.consistent(prior, measurement), prior, gradient, own
        )
        before, gradient, rest = self.regulariser.back(prior, gradient)
        return before, gradient, (*first, *rest)

    def error_of_inverse(self, error: float, measurement: Measurement) -> float:
        """See `Invertible`."""
        weight = self.weight(measurement).min().item()
        return (error + (self.tolerance or 0)) * (1 + weight) / weight


class InvertibleProximalGradient(ProximalGradient):
    """`ProximalGradient` with a `CoupledRegulariser`, and a step that stays below 0.9.

    z = x − μ (AᴴA x − Aᴴy) is solved for x by conjugate gradients on I − μ AᴴA; where all was
    sampled, an error in z comes back 1 / (1 − μ) times as large.
    """

    regulariser: CoupledRegulariser

    def __init__(self, regulariser: CoupledRegulariser, step: float) -> None:
        share = torch.tensor(min(step / HIGHEST_STEP, 0.9))
        super().__init__(regulariser, share.logit().item())

    def length(self) -> Scalar:
        """μ = 0.9 · sigmoid(step)."""
        return HIGHEST_STEP * self.step.sigmoid()

    def back(
        self, output: Image, gradient: Image, measurement: Measurement
    ) -> tuple[Image, Image, Gradients]:
        """See `Invertible`."""
        after, gradient, rest = self.regulariser.back(output, gradient)
        length, normal = self.length().detach(), measurement.sense.normal
        before = solve_to(
            lambda x: -length * normal(x),
            torch.ones_like(length),
            after - length * measurement.adjoint,
            measurement.sense.axes,
            self._tolerance(output),
        )
        _, gradient, first = pull(
            lambda image: self.consistent(image, measurement), before, gradient, [self.step]
        )
        return before, gradient, (*first, *rest)

    def error_of_inverse(self, error: float, measurement: Measurement) -> float:
        """See `Invertible`."""
        tolerance = self._tolerance(measurement.adjoint)
        return (error + tolerance) / (1 - self.length().item())

    def _tolerance(self, image: Image) -> float:
        return SOLVED * torch.finfo(image.dtype).eps
