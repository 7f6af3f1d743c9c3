"""Structural similarity, as fastMRI measures it."""

from jaxtyping import Float
from torch import Tensor

from gleam.errors import BadInput

WINDOW = 7
K1, K2 = 0.01, 0.03


def ssim(
    image: Float[Tensor, "batch *planes y x"],
    reference: Float[Tensor, "batch *planes y x"],
    maximum: Float[Tensor, " batch"],
) -> Float[Tensor, " batch"]:
    """Mean structural similarity over the planes (y, x) of each example; 1 is identical.

    A uniform 7×7 window, only where it lies wholly inside the plane, k₁ = 0.01, k₂ = 0.03, and
    sample (co)variances, which divide by 48: scikit-image's and fastMRI's choices. Differentiable,
    so 1 − ssim serves as a loss.

    Args:
        image: magnitudes.
        reference: magnitudes of the target.
        maximum: the data range; in fastMRI the maximum of the whole reference volume.

    Raises:
        BadInput: a plane is smaller than the window.

    Source: Wang et al., IEEE Transactions on Image Processing 13(4), 2004, equation 13.
    """
    *_, height, width = image.shape
    if min(height, width) < WINDOW:
        raise BadInput(f"SSIM needs planes of at least {WINDOW}×{WINDOW}; got {height}×{width}")
    scale = maximum.view(-1, *[1] * (image.ndim - 1))
    a, b = ((x / scale).view(-1, height, width) for x in (image, reference))

    mean_a, mean_b, mean_aa, mean_bb, mean_ab = map(_windowed, (a, b, a * a, b * b, a * b))
    sample = WINDOW**2 / (WINDOW**2 - 1)
    variance_a = sample * (mean_aa - mean_a.square())
    variance_b = sample * (mean_bb - mean_b.square())
    covariance = sample * (mean_ab - mean_a * mean_b)

    luminance = (2 * mean_a * mean_b + K1**2) / (mean_a.square() + mean_b.square() + K1**2)
    structure = (2 * covariance + K2**2) / (variance_a + variance_b + K2**2)
    return (luminance * structure).view(image.shape[0], -1).mean(dim=1)


def _windowed(plane: Tensor) -> Tensor:
    """Mean in each window; axis by axis, ten times faster on a CPU than average pooling."""
    return plane.unfold(-1, WINDOW, 1).mean(dim=-1).unfold(-2, WINDOW, 1).mean(dim=-1)
