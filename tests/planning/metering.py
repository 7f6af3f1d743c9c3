"""Training steps in earnest, on data that mean nothing, to hold predictions to."""

import torch

from benchmarks.planner import batch_of
from gleam.networks import build
from gleam.planning.footprint import Footprint
from gleam.planning.scans import ScanSize
from gleam.planning.trace import Work
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
    torch.manual_seed(0)
    learner.step(batch_of(recipe, scan, network), 0)
    return learner.metered_step(batch_of(recipe, scan, network), 1)[1]


def simple(one: Recipe, scan: ScanSize, machine: object, devices: int = 1) -> Footprint:
    """Made up: an iteration keeps 10 for each feature and slice, a module 1 for each of its images.

    A second is that of an operation.
    """
    longest, width = max(one.module_sizes()), one.network.width or 0
    kept = 10 * width * (longest if one.training.storage == "store" else 1)
    held = (kept + longest) * one.data.batch
    n = one.network.iterations
    return Footprint(n, 0, 2 * n, held, 0, work=Work(operations=n))
