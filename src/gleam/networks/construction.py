"""The network of a recipe: which iterations, and what state travels between them."""

import math
from collections.abc import Iterator

import torch
from torch import nn

from gleam.networks.consistency import ModelBased, ProximalGradient
from gleam.networks.convolution import Dimensions
from gleam.networks.foreign import foreign
from gleam.networks.invertible import (
    CoupledRegulariser,
    InvertibleModelBased,
    InvertibleProximalGradient,
)
from gleam.networks.momentum import ImageAndChange, Momentum
from gleam.networks.patches import Patch
from gleam.networks.regulariser import Convolved, Regulariser
from gleam.networks.resnet import ResNet
from gleam.networks.reversible import TOTAL_STEP, Reversible, TwoStreams
from gleam.networks.state import ImageState
from gleam.networks.unet import UNet
from gleam.networks.unrolled import Placed, Unrolled, unplaced
from gleam.physics.classical import CLASSICAL
from gleam.recipe import NetworkRecipe


def build(
    recipe: NetworkRecipe, seed: int = 0, frozen: int = 0, placed: Placed = unplaced
) -> Unrolled:
    """The network of a recipe, its weights drawn from `seed` alone.

    Iteration k draws from (seed, k), so that networks of different depth start alike.

    Args:
        recipe: the network.
        seed: of the weights.
        frozen: how many of the first iterations are not to be trained.
        placed: is given each iteration's number and the iteration before the next one is made, so
            that not all weights need be held at once.

    Raises:
        BadInput: it is not of this program, and not trusted or no network (see `foreign`).
    """
    if recipe.build is not None:
        return foreign(recipe, seed, frozen, placed)
    kind = ImageState
    if recipe.family == "reversible":
        kind = TwoStreams
    elif "change" in recipe.regulariser.inputs:
        kind = ImageAndChange
    state = kind(CLASSICAL[recipe.first_image])

    def iterations() -> Iterator[nn.Module]:
        for k in range(recipe.iterations):
            iteration = _iteration(recipe, seed, k)
            placed(k, iteration)
            yield iteration

    return Unrolled(iterations(), state, frozen)


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
        inputs = recipe.regulariser.inputs
        regulariser = Regulariser(*_cnn(recipe, channels, blocks, channels * (1 + len(inputs))))
        iteration: nn.Module
        if recipe.family == "modl":
            iteration = ModelBased(regulariser, *solver, "gradient" in inputs)
        else:
            iteration = ProximalGradient(regulariser, recipe.step, "gradient" in inputs)
        return Momentum(iteration) if "change" in inputs else iteration


def _cnn(
    recipe: NetworkRecipe, channels: int, blocks: int, inputs: int | None = None
) -> tuple[nn.Module, Dimensions, bool, bool, Patch | None]:
    r = recipe.regulariser
    common = channels, r.width, blocks, r.kernel, r.dimensions, inputs, r.circular
    cnn = ResNet(*common) if r.kind == "resnet" else UNet(*common, r.levels or 2)
    return cnn, r.dimensions, r.bf16, r.circular, recipe.patch
