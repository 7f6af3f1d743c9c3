"""A toy test set: three scans of a smooth object behind a real operator, a series,
and methods for them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
import torch

from gleam.data.batch import Batch
from gleam.evaluation.evaluate import evaluate
from gleam.evaluation.result import Evaluation
from gleam.physics.measurement import Measurement
from gleam.physics.sense import Sense
from gleam.reconstruction.reconstructor import Reconstructor

FRAMES = 6
HOSTILE = "<script>alert('scan')</script>"


def toy_batch(scans: list[str], slices: list[int], seed: int = 0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    batch, size = len(scans), 16
    low = torch.randn(batch, 1, 1, 4, 4, dtype=torch.complex64, generator=random)
    target = low.repeat_interleave(4, -1).repeat_interleave(4, -2)
    lines = torch.zeros(1, 1, 1, 1, size, dtype=torch.bool)
    lines[..., :4] = lines[..., -4:] = True
    maps = torch.ones(batch, 1, 1, 1, size, size, dtype=torch.complex64)
    sense = Sense(maps, lines, (-1,))
    return Batch(Measurement(sense, sense.normal(target)), target, scans, slices, (size, size))


def toy_batches() -> list[Batch]:
    """Scan a in one batch, the first slice of b with the last of a, the hostile one alone."""
    return [
        toy_batch(["a", "a"], [0, 1], seed=0),
        toy_batch(["a", "b"], [2, 0], seed=1),
        toy_batch([HOSTILE], [0], seed=2),
    ]


def toy_series() -> Batch:
    """Two slices of a series in which one blob beats, at y = 11; lines interleaved over frames."""
    size, batch = 16, 2
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    beat = 1.5 + torch.sin(2 * torch.pi * torch.arange(FRAMES) / FRAMES)
    blob = torch.exp(-((y - 11) ** 2 + (x - 6) ** 2) / (2 * beat**2)[:, None, None])
    still = 0.5 * ((y - 8).abs() < 7)
    target = (still + blob).to(torch.complex64).expand(batch, 1, FRAMES, size, size)
    lines = (torch.arange(size) - torch.arange(FRAMES)[:, None]) % 4 == 0
    maps = torch.ones(batch, 1, 1, 1, size, size, dtype=torch.complex64)
    sense = Sense(maps, lines[None, None, :, None], (-1,))
    scans = ["beating"] * batch
    return Batch(Measurement(sense, sense.normal(target)), target, scans, [0, 1], (size, size))


Images = Callable[[Measurement], Iterator[torch.Tensor]]


@dataclass(frozen=True)
class Toy(Reconstructor):
    """Whatever images a function yields."""

    images: Images

    def _images(self, measurement: Measurement) -> Iterator[torch.Tensor]:
        yield from self.images(measurement)


def ways(**images: Images) -> Mapping[str, Toy]:
    return {name: Toy(name, yields) for name, yields in images.items()}


def zero_filled(measurement: Measurement) -> Iterator[torch.Tensor]:
    yield measurement.adjoint


def halfway(measurement: Measurement) -> Iterator[torch.Tensor]:
    """Towards zero: a little worse each time."""
    for iteration in range(3):
        yield measurement.adjoint * 0.9 ** (iteration + 1)


@pytest.fixture(scope="session")
def evaluation() -> Evaluation:
    """Of two methods, one with a name that HTML must escape."""
    methods = ways(**{"zero-filled": zero_filled, "<b>shrunk</b> & more": halfway})
    return evaluate(methods, toy_batches())
