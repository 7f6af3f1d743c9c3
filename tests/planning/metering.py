"""Training steps in earnest, on data that mean nothing, to hold predictions to."""

import torch

from gleam.networks import build
from gleam.planning.scans import ScanSize, tensors_of
from gleam.recipe import Recipe
from gleam.runs.assembly import make_learner
from gleam.runs.learner import Cost

TINY = ScanSize((16, 12), 3)


def recipe(iterations: int = 2, family: str = "pgd", **parts: dict) -> Recipe:
    regulariser = {"width": 4, "blocks": 1} | parts.pop("regulariser", {})
    network = {"family": family, "iterations": iterations, "cg_steps": 2} | parts.pop("network", {})
    training = {"modules": 2} | parts.pop("training", {})
    network["regulariser"] = regulariser
    return Recipe.model_validate({"network": network, "training": training} | parts)


def metered_cost(recipe: Recipe, scan: ScanSize = TINY) -> Cost:
    network = build(recipe.network)
    learner = make_learner(network, recipe)
    learner.step(batch(recipe, scan, network), 0)
    return learner.metered_step(batch(recipe, scan, network), 1)[1]


def batch(recipe, scan, network):
    made = scan.batch(recipe, scan.slab(recipe, network), scan.coils, 0)
    torch.manual_seed(0)
    for tensor in tensors_of(made):
        if tensor.dtype is torch.bool:
            tensor.copy_(torch.rand(tensor.shape) > 0.5)
        elif tensor.is_complex():
            tensor.copy_(0.3 * torch.randn_like(tensor))
        else:
            tensor.fill_(0.05)
    return made
