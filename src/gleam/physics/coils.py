"""Mixing coils: whitening to SNR units, and compression to fewer virtual coils."""

import torch
from jaxtyping import Complex
from torch import Tensor

from gleam.errors import BadInput
from gleam.formats.noise import PER_COIL

DEPENDENT = 1e-8  # share of a coil's noise power that must be its own


def mix(
    kspace: Complex[Tensor, "batch coil *rest"], matrix: Complex[Tensor, "mixed coil"]
) -> Complex[Tensor, "batch mixed *rest"]:
    """Replace the coils of k-space, or of coil images, by the combinations in `matrix`'s rows."""
    return torch.einsum("mc,bc...->bm...", matrix, kspace)


def whitening_matrix(noise: Complex[Tensor, "coil sample"]) -> Complex[Tensor, "coil coil"]:
    """The matrix that makes noise uncorrelated between coils, with unit variance in each.

    It is L⁻¹, where L Lᴴ is the noise covariance (Pruessmann et al., MRM 2001): lower triangular,
    so that coil n mixes with coils before it only. Unit variance is that of a complex sample,
    E|n|² = 1; images of an orthonormal FFT are then in SNR units (Kellman and McVeigh, MRM 2005),
    up to their √2 for noise in the real channel alone.

    Args:
        noise: samples acquired without excitation, with the imaging scan's bandwidth.

    Raises:
        BadInput: there are too few samples for as many coils (see `gleam.formats.noise`), or a coil
            has no noise of its own.
    """
    coils, samples = noise.shape
    if samples < PER_COIL * coils:
        off = 100 * (coils / max(1, samples)) ** 0.5
        raise BadInput(
            f"noise scan: {samples} samples of {coils} coils tell their covariance with an error "
            f"of {off:.0f} %; give {PER_COIL} samples or more for each coil, as (coil, samples)"
        )
    noise = noise.to(torch.complex128)
    covariance = noise @ noise.mH / samples
    factor, failed_at = torch.linalg.cholesky_ex(covariance)
    own = factor.diagonal().real.square() > DEPENDENT * covariance.diagonal().real
    if failed_at or not own.all():
        coil = int(failed_at) - 1 if failed_at else int(own.long().argmin())
        raise BadInput(
            f"noise scan: the covariance is singular, coil {coil} (counted from 0) is silent or "
            "repeats the coils before it; leave it out"
        )
    identity = torch.eye(coils, dtype=factor.dtype, device=factor.device)
    inverse: Tensor = torch.linalg.solve_triangular(factor, identity, upper=False)
    return inverse.to(torch.complex64)


def compression_matrix(
    calibration: Complex[Tensor, "slice coil *calibration"], coils: int
) -> Complex[Tensor, "virtual coil"]:
    """The orthonormal combinations of coils that keep most energy, strongest first.

    They are the leading left singular vectors of all calibration samples side by side (Buehrer et
    al., MRM 2007; Huang et al., MRI 2008), one matrix for all slices. Whiten first, so that
    energy means signal over noise; white noise stays white.

    Args:
        calibration: the centre of k-space, or coil images.
        coils: number of virtual coils.

    Raises:
        BadInput: more virtual coils than coils, or none.
    """
    available = calibration.shape[1]
    if not 1 <= coils <= available:
        raise BadInput(
            f"coil compression: {available} coils cannot become {coils}; ask for 1 to {available}"
        )
    signals = calibration.movedim(1, 0).flatten(1)
    covariance = (signals @ signals.mH).to(torch.complex128)
    vectors: Tensor = torch.linalg.eigh(covariance).eigenvectors  # eigenvalues ascend
    return vectors[:, -coils:].flip(1).mH.to(torch.complex64)
