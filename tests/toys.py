"""Small random problems: a forward model, a measurement with its target, a network."""

import pytest
import torch
from torch import Tensor

from gleam.networks import ResNet, UNet, Unrolled, build
from gleam.physics.measurement import Measurement
from gleam.physics.sense import Sense
from gleam.recipe import NetworkRecipe, RegulariserRecipe

# Arguments of `toy_sense`: every kind of data the house reconstructs.
SHAPES: dict[str, dict[str, object]] = {
    "2D": {},
    "2D+t": {"frames": 3, "sets": 2},
    "3D": {"space": (4, 6, 5), "axes": (-3, -2)},
}
OF_NETWORK: dict[str, dict[str, object]] = {
    "2D": {},
    "2D+t": {"dimensions": 3, "sets": 2},
    "3D": {"dimensions": 3},
}
EACH_SHAPE = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.complex64) -> Tensor:
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def toy_sense(
    space: tuple[int, ...] = (12, 11),
    axes: tuple[int, ...] = (-1,),
    batch: int = 2,
    sets: int = 1,
    coils: int = 3,
    frames: int = 1,
    one_mask: bool = False,
    coils_at_once: int = 0,
    dtype: torch.dtype = torch.complex64,
    seed: int = 0,
) -> Sense:
    """Orthonormal maps; a mask that differs between examples and frames, unless `one_mask`."""
    pixels = noise(batch, *space, coils, sets, seed=seed, dtype=dtype)
    maps = torch.linalg.qr(pixels).Q.movedim((-1, -2), (1, 2))[:, :, :, None]
    sizes = [n if a in axes else 1 for a, n in zip(range(-len(space), 0), space, strict=True)]
    several = (1, 1, 1) if one_mask else (batch, 1, frames)
    mask = noise(*several, *sizes, seed=seed + 1).real > 0
    return Sense(maps.contiguous(), mask, axes, coils_at_once)


def toy_image(sense: Sense, frames: int = 1, seed: int = 2) -> Tensor:
    batch, sets, _, _, *space = sense.maps.shape
    return noise(batch, sets, frames, *space, seed=seed, dtype=sense.maps.dtype)


def toy_kspace(sense: Sense, frames: int = 1, seed: int = 3) -> Tensor:
    batch, _, coils, _, *space = sense.maps.shape
    return noise(batch, coils, frames, *space, seed=seed, dtype=sense.maps.dtype)


def systems(like: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Numbers of the elements that AᴴA couples, (system, element): map sets, and along `axes`."""
    numbers, coupled = torch.arange(like.numel()).reshape(like.shape), (1, *axes)
    size = torch.Size(like.shape[a] for a in coupled).numel()
    return numbers.movedim(coupled, tuple(range(-len(coupled), 0))).reshape(-1, size)


def toy_measurement(sense: Sense, frames: int = 1, seed: int = 2) -> tuple[Measurement, Tensor]:
    """A measurement with some noise, another level known of each example, and its target."""
    target = toy_image(sense, frames, seed)
    kspace = sense.forward(target) + 0.1 * toy_kspace(sense, frames, seed + 1)
    levels = 0.1 * 2.0 ** torch.arange(len(target), dtype=kspace.real.dtype)
    return Measurement.of(sense, kspace, levels), target


def cut(measurement: Measurement, axis: int, start: int, length: int) -> Measurement:
    """Some positions along a space axis that F does not run over."""

    def part(x: Tensor) -> Tensor:
        return x if x.shape[axis] == 1 else x.narrow(axis, start, length)

    old = measurement.sense
    sense = Sense(part(old.maps), part(old.mask), old.axes, old.coils_at_once)
    return Measurement(sense, part(measurement.adjoint), measurement.noise)


OF_REGULARISER = set(RegulariserRecipe.model_fields)


def toy_network(family: str = "modl", iterations: int = 2, **fields: object) -> Unrolled:
    """As if trained: no weight is zero, and no two iterations are alike.

    The fields are those of the network or its regulariser.
    """
    of_regulariser = {"width": 8, "blocks": 1}
    of_regulariser |= {name: fields.pop(name) for name in OF_REGULARISER & set(fields)}
    regulariser = RegulariserRecipe(**of_regulariser)
    recipe = NetworkRecipe(family=family, iterations=iterations, regulariser=regulariser, **fields)
    network = build(recipe)
    for k, iteration in enumerate(network.iterations):
        for n, cnn in enumerate(m for m in iteration.modules() if isinstance(m, ResNet | UNet)):
            last = cnn.last.weight
            size = 0.1 * min(1, 8 / iterations)  # the deeper, the less each iteration changes
            last.data.copy_(size * noise(*last.shape, seed=k + 100 * n, dtype=last.dtype))
        for scalar in (p for p in iteration.parameters() if p.ndim == 0):
            scalar.data *= 1 + 0.1 * (k % 4)
    return network
