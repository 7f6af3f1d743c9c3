"""Unrolled networks, built from the recipe."""

import math

import torch
from torch import nn

from gleam.networks.consistency import ModelBased, ProximalGradient
from gleam.networks.invertible import (
    CoupledRegulariser,
    InvertibleModelBased,
    InvertibleProximalGradient,
)
from gleam.networks.regulariser import Convolved, Dimensions, Regulariser
from gleam.networks.resnet import ResNet
from gleam.networks.reversible import TOTAL_STEP, Reversible
from gleam.networks.unrolled import Unrolled
from gleam.recipe import NetworkRecipe

__all__ = [
    "CoupledRegulariser",
    "InvertibleModelBased",
    "InvertibleProximalGradient",
    "ModelBased",
    "ProximalGradient",
    "Regulariser",
    "ResNet",
    "Reversible",
    "Unrolled",
    "build",
]


def build(recipe: NetworkRecipe, seed: int = 0) -> Unrolled:
    """The network of a recipe, its weights drawn from `seed` alone.

    Iteration k draws from (seed, k), so that networks of different depth start alike.
    """
    iterations = (_iteration(recipe, seed, k) for k in range(recipe.iterations))
    return Unrolled(iterations, streams=2 if recipe.family == "reversible" else 1)


def _iteration(recipe: NetworkRecipe, seed: int, k: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed * 100_003 + k)  # the CPU's; no GPU's is touched
        channels, blocks = 2 * recipe.sets, recipe.regulariser.blocks
        half = math.ceil(blocks / 2)  # the two networks of a coupling share an iteration's blocks
        if recipe.family == "reversible":
            step = min(recipe.step, TOTAL_STEP / recipe.iterations)
            pair = [Regulariser(*_cnn(recipe, channels, half)) for _ in range(2)]
            return Reversible(*(ProximalGradient(regulariser, step) for regulariser in pair))
        solver = recipe.weight, recipe.cg_steps, recipe.cg_tolerance
        if recipe.regulariser.coupling:
            f, g = (Convolved(*_cnn(recipe, channels // 2, half)) for _ in range(2))
            coupled = CoupledRegulariser(f, g)
            if recipe.family == "modl":
                return InvertibleModelBased(coupled, *solver)
            return InvertibleProximalGradient(coupled, recipe.step)
        regulariser = Regulariser(*_cnn(recipe, channels, blocks))
        if recipe.family == "modl":
            return ModelBased(regulariser, *solver)
        return ProximalGradient(regulariser, recipe.step)


def _cnn(recipe: NetworkRecipe, channels: int, blocks: int) -> tuple[nn.Module, Dimensions, bool]:
    r = recipe.regulariser
    return ResNet(channels, r.width, blocks, r.kernel, r.dimensions), r.dimensions, r.bf16
