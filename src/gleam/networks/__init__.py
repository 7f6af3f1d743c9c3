"""Unrolled networks, built from the recipe: iterations, each of a regulariser and data consistency.

They import physics and their part of the recipe, never data or training. Begin at `unrolled`;
`construction` makes the network of a recipe.
"""

from gleam.networks.consistency import ModelBased, ProximalGradient
from gleam.networks.construction import build
from gleam.networks.invertible import (
    CoupledRegulariser,
    InvertibleModelBased,
    InvertibleProximalGradient,
)
from gleam.networks.momentum import Momentum
from gleam.networks.regulariser import Regulariser
from gleam.networks.resnet import ResNet
from gleam.networks.reversible import Reversible
from gleam.networks.unet import UNet
from gleam.networks.unrolled import Unrolled

__all__ = [
    "CoupledRegulariser",
    "InvertibleModelBased",
    "InvertibleProximalGradient",
    "ModelBased",
    "Momentum",
    "ProximalGradient",
    "Regulariser",
    "ResNet",
    "Reversible",
    "UNet",
    "Unrolled",
    "build",
]
