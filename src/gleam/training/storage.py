"""What a module keeps for its backward pass. A storage runs iterations and changes no value."""

from collections.abc import Callable, Sequence

from torch import nn
from torch.utils.checkpoint import checkpoint as recomputed

from gleam.arrays import Image
from gleam.physics.measurement import Measurement

Storage = Callable[[Sequence[nn.Module], Image, Measurement], Image]


def store(iterations: Sequence[nn.Module], image: Image, measurement: Measurement) -> Image:
    """Keep every activation."""
    for iteration in iterations:
        image = iteration(image, measurement)
    return image


def checkpoint(iterations: Sequence[nn.Module], image: Image, measurement: Measurement) -> Image:
    """Keep the image before each iteration and compute its activations again in the backward pass.

    The last iteration is not computed again: its activations would be freed only to be needed
    next.
    """
    *early, last = iterations
    for iteration in early:
        image = recomputed(
            iteration, image, measurement, use_reentrant=False, preserve_rng_state=False
        )
    output: Image = last(image, measurement)
    return output


STORAGES: dict[str, Storage] = {"store": store, "checkpoint": checkpoint}
