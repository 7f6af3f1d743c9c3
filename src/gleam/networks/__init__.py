"""Unrolled networks, built from the recipe."""

import torch

from gleam.networks.consistency import ModelBased, ProximalGradient
from gleam.networks.regulariser import Regulariser
from gleam.networks.resnet import ResNet
from gleam.networks.unrolled import Unrolled
from gleam.recipe import NetworkRecipe

__all__ = ["ModelBased", "ProximalGradient", "Regulariser", "ResNet", "Unrolled", "build"]


def build(recipe: NetworkRecipe, seed: int = 0) -> Unrolled:
    """The network of a recipe, its weights drawn from `seed` alone.

    Iteration k draws from (seed, k), so that networks of different depth start alike.
    """
    return Unrolled(_iteration(recipe, seed, k) for k in range(recipe.iterations))


def _iteration(recipe: NetworkRecipe, seed: int, k: int) -> ModelBased | ProximalGradient:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed * 100_003 + k)  # the CPU's; no GPU's is touched
        r = recipe.regulariser
        cnn = ResNet(2 * recipe.sets, r.width, r.blocks, r.kernel, r.dimensions)
        regulariser = Regulariser(cnn, r.dimensions, r.bf16)
    if recipe.family == "modl":
        return ModelBased(regulariser, recipe.weight, recipe.cg_steps, recipe.cg_tolerance)
    return ProximalGradient(regulariser, recipe.step)
