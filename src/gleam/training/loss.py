"""Losses between complex images; every module of a network uses the same one and target."""

from collections.abc import Callable

import torch
from torch import Tensor

from gleam.arrays import Image, Scalar
from gleam.metrics import magnitude, ssim

Loss = Callable[[Image, Image], Tensor]


def l1(image: Image, target: Image) -> Scalar:
    """Mean |image − target| over complex voxels."""
    return (image - target).abs().mean()


def l2(image: Image, target: Image) -> Scalar:
    """Mean |image − target|² over complex voxels."""
    error = image - target
    return (error.real.square() + error.imag.square()).mean()


def l1_ssim(image: Image, target: Image) -> Scalar:
    """`l1` plus 1 − SSIM of the magnitudes, its range the largest magnitude of each target.

    An empty target, a slice beside the body, has no range; 1 stands for it.
    """
    reference = magnitude(target)
    maximum = reference.flatten(1).amax(1)
    maximum = torch.where(maximum > 0, maximum, 1)
    return l1(image, target) + 1 - ssim(magnitude(image), reference, maximum).mean()


LOSSES: dict[str, Loss] = {"l1": l1, "l2": l2, "l1+ssim": l1_ssim}
