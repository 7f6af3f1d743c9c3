"""The problems and schemes that `benchmarks.gpu` times: random data of real sizes."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gleam.data.batch import Batch
from gleam.physics.measurement import Measurement
from gleam.physics.sense import Sense
from gleam.recipe import NetworkRecipe, Recipe, TrainingRecipe


@dataclass(frozen=True)
class Case:
    """A batch's shape, and a network.

    Attributes:
        batch, coils, frames, space: of the images.
        axes: that the mask varies along.
        family: modl or pgd.
        width: features of the CNNs, which have two residual blocks.
        bf16: CNNs in bfloat16.
        iterations: of the network.
        cg_steps: of each iteration of modl.
    """

    batch: int
    coils: int
    space: tuple[int, ...]
    axes: tuple[int, ...]
    family: str
    width: int
    bf16: bool = False
    frames: int = 1
    iterations: int = 8
    cg_steps: int = 5

    @property
    def dimensions(self) -> int:
        """That the CNNs convolve over."""
        return 3 if len(self.space) == 3 or self.frames > 1 else 2

    @property
    def mask_shape(self) -> tuple[int, ...]:
        """(batch, 1, frame, *space)."""
        lines = [1] * len(self.space)
        for axis in self.axes:
            lines[axis] = self.space[axis]
        return (self.batch, 1, self.frames, *lines)

    def recipe(self, **training: Any) -> Recipe:
        """Of its network, trained in some way."""
        regulariser = {"width": self.width, "dimensions": self.dimensions, "bf16": self.bf16}
        network = {
            "family": self.family,
            "iterations": self.iterations,
            "cg_steps": self.cg_steps,
            "regulariser": regulariser,
        }
        return Recipe(
            network=NetworkRecipe.model_validate(network),
            training=TrainingRecipe.model_validate(training),
        )

    def forward_model(self) -> tuple[Sense, Tensor]:
        """Random maps and mask, and a target: neither time nor memory depends on the values."""
        random = torch.Generator().manual_seed(0)
        maps_shape = (self.batch, 1, self.coils, 1, *self.space)
        maps = torch.randn(maps_shape, dtype=torch.complex64, generator=random)
        maps /= maps.abs().square().sum(2, keepdim=True).sqrt()
        sense = Sense(maps, torch.rand(self.mask_shape, generator=random) < 0.25, self.axes)
        image = (self.batch, 1, self.frames, *self.space)
        return sense, torch.randn(image, dtype=torch.complex64, generator=random)

    def problem(self) -> Batch:
        """A batch to train on."""
        sense, target = self.forward_model()
        measurement = Measurement(sense, sense.normal(target))
        names = ["random"] * self.batch
        return Batch(measurement, target, names, list(range(self.batch)), self.space)

    def small(self) -> "Case":
        """The same kind of problem, for a machine without a GPU, where bfloat16 may be slow."""
        return replace(
            self, batch=1, coils=3, space=(12,) * len(self.space), width=4, bf16=False,
            frames=min(self.frames, 3), iterations=2, cg_steps=2,
        )  # fmt: skip


def _slice(family: str, width: int, bf16: bool = False, cg_steps: int = 5) -> Case:
    return Case(4, 8, (320, 256), (-2, -1), family, width, bf16, cg_steps=cg_steps)


def _volume(family: str, width: int) -> Case:
    return Case(1, 8, (15, 320, 256), (-2, -1), family, width, bf16=True)


CASES = {
    "modl_16": Case(4, 6, (96, 96), (-1,), "modl", 32, iterations=16),
    "modl": Case(4, 12, (320, 320), (-1,), "modl", 64),
    "modl_bf16": Case(4, 12, (320, 320), (-1,), "modl", 64, bf16=True),
    "modl_paper": _slice("modl", 70, cg_steps=10),
    "modl_paper_bf16": _slice("modl", 70, bf16=True, cg_steps=10),
    "pgd_paper": _slice("pgd", 100),
    "pgd_paper_bf16": _slice("pgd", 100, bf16=True),
    "pgd_96_bf16": _slice("pgd", 96, bf16=True),
    "volume_bf16": _volume("modl", 32),
    "cine_bf16": Case(1, 8, (192, 192), (-1,), "modl", 32, bf16=True, frames=20),
}
# Who wins where: of a user's choices at growing width.
WIDTHS = {f"width_2d_{width}": _slice("pgd", width, bf16=True) for width in (32, 100, 256)}
WIDTHS |= {f"width_3d_{width}": _volume("pgd", width) for width in (32, 100, 256)}
SCHEMES: dict[str, dict[str, Any]] = {
    "end_to_end": {"modules": 1},
    "checkpoint": {"modules": 1, "storage": "checkpoint"},
    "greedy": {},  # a module for every iteration
    "offload": {"modules": 1, "storage": "offload"},
}


def recipe_of(case: Case, scheme: str, graph: str) -> Recipe:
    """How a case is trained.

    Args:
        case: which.
        scheme: a name in `SCHEMES`.
        graph: auto or never.
    """
    fields = {"modules": case.iterations} | SCHEMES[scheme]
    return case.recipe(**fields, graph=graph)
