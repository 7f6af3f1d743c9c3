"""The leading eigenvectors of many small Hermitian matrices, where the others are not wanted.

Block Lanczos: a few products of a matrix with a block of vectors span a space, the Krylov space, in
which the leading eigenvectors soon lie (Golub & Van Loan, Matrix Computations, ch. 10). How far off
they are is known from the residuals, so what has not converged is decomposed in full.
"""

import torch
from jaxtyping import Complex, Float
from torch import Tensor

_STEPS = 7  # enough where the next eigenvalue is a third, as is usual of ESPIRiT's in an object
_ERROR = 5e-6  # of an eigenvector; single precision leaves a fifth of it
_LARGE = 24  # rows for each eigenvector, from which on all of this is faster than decomposing


def leading_eigenvectors(
    matrices: Complex[Tensor, "matrix n n"], count: int, above: float
) -> tuple[Float[Tensor, "matrix count"], Complex[Tensor, "matrix n count"]]:
    """Largest eigenvalues, ascending, and their eigenvectors of unit length.

    Args:
        matrices: Hermitian, no eigenvalue below zero.
        count: how many are wanted of each.
        above: eigenvalues up to this need not be accurate, nor need their eigenvectors, so long as
            they are not above it.
    """
    if matrices.shape[-1] < _LARGE * count:
        return _decomposed(matrices, count)
    values, vectors, converged = _lanczos(matrices, count, above)
    if not converged.all():
        values[~converged], vectors[~converged] = _decomposed(matrices[~converged], count)
    return values, vectors


def _decomposed(matrices: Tensor, count: int) -> tuple[Tensor, Tensor]:
    values, vectors = torch.linalg.eigh(matrices)
    return values[:, -count:], vectors[..., -count:]


def _lanczos(matrices: Tensor, count: int, above: float) -> tuple[Tensor, Tensor, Tensor]:
    """Eigenvalues and eigenvectors, and whether they converged, for each matrix."""
    size = matrices.shape[-1]
    # In general position: no eigenvector is at right angles to it.
    random = torch.Generator().manual_seed(0)
    start = torch.randn(size, count, dtype=matrices.dtype, generator=random).to(matrices.device)
    krylov = torch.linalg.qr(start).Q.expand(len(matrices), -1, -1)
    products = block = matrices @ krylov
    for _ in range(_STEPS):
        for _ in range(2):  # once leaves rounding errors that grow
            block = torch.baddbmm(block, krylov, krylov.mH @ block, alpha=-1)
        block = torch.linalg.qr(block).Q
        krylov = torch.cat([krylov, block], -1)
        block = matrices @ block
        products = torch.cat([products, block], -1)
    ritz, rotation = torch.linalg.eigh(krylov.mH @ products)
    values, rotation = ritz[:, -count:].clone(), rotation[..., -count:]
    vectors = krylov @ rotation
    residuals = (products @ rotation - vectors * values[:, None]).norm(dim=1)
    # An eigenvector is off by its residual over the distance to the next eigenvalue.
    distances = ritz[:, -count - 1 :].diff(dim=1)
    distances[:, :-1] = torch.minimum(distances[:, :-1], distances[:, 1:])
    converged = (residuals < _ERROR * distances) | (values + residuals <= above)
    return values, vectors, converged.all(1)
