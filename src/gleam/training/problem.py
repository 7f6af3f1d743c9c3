"""What a recipe makes of training: batches, the loss of a module's output, and the modules."""

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from gleam.arrays import Image, State
from gleam.data.batch import Batch
from gleam.data.example import Example
from gleam.data.loader import Slabs, TrainingBatches
from gleam.networks import Unrolled
from gleam.physics.measurement import Measurement
from gleam.recipe import Recipe
from gleam.training.adam import Adam
from gleam.training.flow import GreedyModule
from gleam.training.greedy import greedy
from gleam.training.loss import LOSSES
from gleam.training.schedule import warmup_cosine
from gleam.training.storage import STORAGES, offload


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
        slabs = Slabs(data.slab, network.reach if margin is None else lambda axis: margin)
    return TrainingBatches(examples, recipe.mask, data.batch, recipe.seed, share, slabs)


def for_training(batch: Batch) -> tuple[Measurement, Image]:
    """What a batch of `training_batches` consists of."""
    assert isinstance(batch.measurement, Measurement)
    assert batch.target is not None
    return batch.measurement, batch.target


def loss_of(recipe: Recipe, network: Unrolled, batch: Batch, state: State, target: Image) -> Tensor:
    """Of a module's output; where slabs have a margin, of their cores."""
    image = network.image(state)
    return LOSSES[recipe.training.loss](batch.core(image), batch.core(target))


def make_modules(network: Unrolled, recipe: Recipe) -> list[GreedyModule]:
    """What is to be trained, cut into modules, each with storage, optimizer (Adam) and schedule."""
    t = recipe.training
    schedule = partial(
        warmup_cosine, highest=t.learning_rate, warmup=min(t.warmup, t.steps), steps=t.steps
    )
    storage = STORAGES[t.storage]
    if t.offload_to is not None:
        storage = partial(offload, folder=t.offload_to)
    return greedy(
        network.iterations[network.frozen :],
        recipe.module_sizes(),
        optimizer=partial(Adam, lr=t.learning_rate, fused=True),
        storage=storage,
        clip=t.clip,
        schedule=schedule,
        loss_weights=recipe.loss_weights(),
    )
