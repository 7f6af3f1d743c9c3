"""Peak signal-to-noise ratio in decibels: of the complex image, and of its magnitude (fastMRI)."""

import torch
from jaxtyping import Float
from torch import Tensor

from gleam.arrays import Image


def psnr_complex(image: Image, reference: Image) -> Float[Tensor, " batch"]:
    """20 log₁₀(max|reference| / RMSE), over all sets, frames and voxels of each example.

    The error is complex, so a wrong phase costs. NaN where the reference is zero everywhere.
    """
    maximum = reference.abs().flatten(1).amax(dim=1)
    return torch.where(maximum > 0, _psnr(image - reference, maximum), torch.nan)


def psnr_per_frame(image: Image, reference: Image) -> Float[Tensor, "batch frame"]:
    """20 log₁₀(max|reference| / RMSE) of every frame; the maximum is that of the whole series.

    So frames differ by their errors alone, and the mean square error of the series, in
    `psnr_complex`, is the mean of its frames'. The error is complex. NaN where the reference is
    zero everywhere.
    """
    frames = reference.shape[2]
    maximum = reference.abs().flatten(1).amax(dim=1).repeat_interleave(frames)
    error = (image - reference).transpose(1, 2).flatten(0, 1)
    psnr = torch.where(maximum > 0, _psnr(error, maximum), torch.nan)
    return psnr.reshape(-1, frames)


def psnr_magnitude(
    image: Float[Tensor, "batch *space"],
    reference: Float[Tensor, "batch *space"],
    maximum: Float[Tensor, " batch"],
) -> Float[Tensor, " batch"]:
    """20 log₁₀(maximum / RMSE) of magnitude images.

    Args:
        image: magnitude (see `magnitude`).
        reference: magnitude of the target.
        maximum: the peak; as in fastMRI the maximum of the whole reference *volume*, also where
            an example is one slice of it.

    Source: Zbontar et al., fastMRI, arXiv 1811.08839.
    """
    return _psnr(image - reference, maximum)


def _psnr(error: Tensor, maximum: Tensor) -> Tensor:
    mean_square = error.abs().square().flatten(1).mean(dim=1)
    return 20 * torch.log10(maximum) - 10 * torch.log10(mean_square)
