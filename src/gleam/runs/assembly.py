"""Parts of training made from a recipe: batches, modules, and the learner of both."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch

from gleam.data.example import Example
from gleam.data.goal import Goal
from gleam.data.loader import Slabs, TrainingBatches
from gleam.networks import Unrolled
from gleam.recipe import Recipe
from gleam.runs.initial import initial
from gleam.runs.learner import Learner
from gleam.training.adam import recordable
from gleam.training.graph import recorder
from gleam.training.greedy import greedy, split
from gleam.training.idle import Idle, idle_at
from gleam.training.loss import LOSSES
from gleam.training.module import GreedyModule
from gleam.training.schedule import warmup_cosine
from gleam.training.storage import STORAGES, Storage, offload


def training_batches(
    examples: Sequence[Example], recipe: Recipe, network: Unrolled, share: tuple[int, int] = (0, 1)
) -> TrainingBatches:
    """The batches of a recipe; slabs are longer by as much as one iteration of the network looks.

    Raises:
        BadInput: see `TrainingBatches`.
    """
    data, slabs = recipe.data, None
    if data.slab is not None:
        margin = data.margin
        network.reach(-1)  # whether it knows is found out before anything is made
        slabs = Slabs(data.slab, network.reach if margin is None else lambda axis: margin)
    goal = learnt_goal(recipe)
    masks, fetched = recipe.training_masks, recipe.training.maps == "host"
    return TrainingBatches(examples, masks, data.batch, recipe.seed, share, slabs, goal, fetched)


def goal_of(recipe: Recipe) -> Goal:
    """The goal that modules learn to predict, as validation judges it."""
    return Goal(recipe.training.target, recipe.training.holdout)


def learnt_goal(recipe: Recipe) -> Goal:
    """The same in steps, which learn all samples of scans that validation does not ask about."""
    goal = goal_of(recipe)
    if recipe.data.validation == recipe.data.train:
        return goal
    return replace(goal, holdout=goal.holdout.changed(guard=0))


def part_of(network: Unrolled, recipe: Recipe, numbers: range) -> Unrolled:
    """The iterations of some modules; those that are frozen go with the first of them."""
    if len(numbers) == len(recipe.module_sizes()):
        return network
    parts = list(split(network.iterations[network.frozen :], recipe.module_sizes()))
    mine = [one for number in numbers for one in parts[number]]
    if numbers.start == 0:
        frozen = network.iterations[: network.frozen]
        return Unrolled([*frozen, *mine], network.state, network.frozen)
    return Unrolled(mine, network.state)


def idle_of(recipe: Recipe, device: torch.device) -> Idle | None:
    """The home for the iterations of a recipe that are not at work; None where they stay."""
    return idle_at(recipe.training.idle, device)


def fresh_learner(recipe: Recipe, device: torch.device, numbers: range | None = None) -> Learner:
    """The learner of a recipe's network, or of the part of it that holds some modules, made
    anew."""
    idle = idle_of(recipe, device)
    network = initial(recipe, idle)
    part = network if numbers is None else part_of(network, recipe, numbers)
    return make_learner(part if idle else part.to(device), recipe, numbers, idle=idle)


def make_learner(
    network: Unrolled,
    recipe: Recipe,
    numbers: range | None = None,
    idle: Idle | None = None,
) -> Learner:
    """The learner of a network, or of the part of it that holds some modules, by a recipe.

    Args:
        network: on the device where it stays: optimizers' states are made beside its weights; or
            taken in by `idle`.
        recipe: of the whole network.
        numbers: of the modules that it holds; None for all.
        idle: has its modules on the device for their turns.
    """
    modules = make_modules(network, recipe, numbers, idle)
    t = recipe.training
    device = next(network.parameters()).device if idle is None else idle.device
    return Learner(
        network,
        modules,
        LOSSES[t.loss],
        t.overlap,
        recorder=recorder(recipe, device),
        device=device,
    )


def make_modules(
    network: Unrolled,
    recipe: Recipe,
    numbers: range | None = None,
    idle: Idle | None = None,
) -> list[GreedyModule]:
    """The modules of a network, each with storage, optimizer (Adam) and schedule.

    The arguments are those of `make_learner`.
    """
    t = recipe.training
    schedule = partial(
        warmup_cosine, highest=t.learning_rate, warmup=recipe.warmup(), steps=t.steps
    )
    storage: str | Storage = STORAGES[t.storage]
    if recipe.network.build is not None:
        storage = t.storage  # somebody else's blocks may draw random numbers
    if t.offload_to is not None:
        storage = partial(offload, folder=t.offload_to)
    sizes, weights = recipe.module_sizes(), recipe.loss_weights()
    mine = range(len(sizes)) if numbers is None else numbers
    return greedy(
        network.iterations[network.frozen :],
        [sizes[number] for number in mine],
        optimizer=partial(recordable, rate=t.learning_rate, scalars=t.consistency_rate),
        storage=storage,
        clip=t.clip,
        schedule=schedule,
        loss_weights=[weights[number] for number in mine],
        idle="device" if idle is None else idle,
    )
