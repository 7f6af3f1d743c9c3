"""Normalised mean squared error."""

import torch
from jaxtyping import Float, Inexact
from torch import Tensor


def nmse(
    image: Inexact[Tensor, "batch *space"], reference: Inexact[Tensor, "batch *space"]
) -> Float[Tensor, " batch"]:
    """‖image − reference‖² / ‖reference‖² of each example; NaN where the reference is zero.

    fastMRI's NMSE (arXiv 1811.08839) when both are magnitudes; complex images may be given too.
    """
    error = torch.linalg.vector_norm((image - reference).flatten(1), dim=1).square()
    power = torch.linalg.vector_norm(reference.flatten(1), dim=1).square()
    return torch.where(power > 0, error / power, torch.nan)
