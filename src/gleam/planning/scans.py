"""`ScanSize`: how large what is learnt from is; and batches of it without memory."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gleam.arrays import tensors
from gleam.data.batch import Batch, Slab
from gleam.data.example import Example, find
from gleam.data.masks import mask_axes
from gleam.data.slices import taken
from gleam.errors import BadInput
from gleam.networks import Unrolled
from gleam.physics.fourier import Axes
from gleam.physics.measurement import Measurement
from gleam.physics.prediction import HeldOut
from gleam.physics.sampling import DIMENSIONS
from gleam.physics.sense import Sense
from gleam.planning.trace import HOST
from gleam.recipe import Recipe

LARGEST = 2**20  # of any number in a size


@dataclass(frozen=True)
class ScanSize:
    """Size of one slice, series or volume.

    Attributes:
        space: positions along y x or z y x.
        coils: of its k-space.
        frames: of a series; 1 if it does not move.
        readout: the axis that is read out (x = −1, y = −2, z = −3); None for the first one.
    """

    space: tuple[int, ...]
    coils: int
    frames: int = 1
    readout: int | None = None

    def __post_init__(self) -> None:
        if len(self.space) not in (2, 3):
            text = " ".join(map(str, self.space))
            raise BadInput(f"shape: {text} has {len(self.space)} axes; give y x, or z y x")
        for name, sizes in (("shape", self.space), ("coils", (self.coils,))):
            for size in sizes:
                if not 1 <= size <= LARGEST:
                    raise BadInput(f"{name}: {size} positions cannot be; give 1 to {LARGEST}")
        if not 1 <= self.frames <= LARGEST:
            raise BadInput(f"frames: {self.frames} cannot be; give 1 to {LARGEST}")

    @classmethod
    def of(cls, example: Example) -> "ScanSize":
        """Size of an example that was prepared."""
        _, coils, frames, *space = example.shape
        return cls(tuple(space), coils, frames, example.header.readout)

    def __str__(self) -> str:
        frames = f"{self.frames} frames of " if self.frames > 1 else ""
        coils = f"{self.coils} coil{'s' * (self.coils > 1)}"
        return f"{frames}{' × '.join(map(str, self.space))}, {coils}"

    @property
    def size(self) -> int:
        """Samples, were all of them taken."""
        return math.prod((*self.space, self.coils, self.frames))

    @property
    def first(self) -> int:
        """The axis that is read out."""
        return -len(self.space) if self.readout is None else self.readout

    def check(self, recipe: Recipe) -> None:
        """Make sure that a recipe is for scans of this kind.

        Raises:
            BadInput: it is not.
        """
        dimensions, field = recipe.network.convolves
        if dimensions == 3 and len(self.space) == 2 and self.frames == 1:
            raise BadInput(
                f"{field} is 3, but {self} is one slice; give z y x, or the frames of a series"
            )
        if recipe.network.regulariser.circular and len(self.space) == 3:
            raise BadInput("network.regulariser.circular is for series of slices; give y x")
        for mask in recipe.training_masks:
            if mask.kind.startswith("kt-") and self.frames == 1:
                raise BadInput(f"mask.kind: {mask.kind} is for series; give their frames")
        if recipe.data.slab is not None and self.first in self.axes(recipe):
            raise BadInput(f"data.slab: the mask takes samples of the readout of {self}")

    def axes(self, recipe: Recipe) -> Axes:
        """Those that F runs along, at most."""
        most = max(DIMENSIONS[mask.kind] for mask in recipe.training_masks)
        return mask_axes(self.first, len(self.space), most)

    def mask_shape(self, recipe: Recipe) -> tuple[int, ...]:
        """Shape of a mask, (frame, *space); of length 1 where it does not vary."""
        axes, space = self.axes(recipe), self.space
        in_time = any(mask.kind.startswith("kt-") for mask in recipe.training_masks)
        along = [n if a in axes else 1 for a, n in zip(range(-len(space), 0), space, strict=True)]
        return self.frames if in_time else 1, *along

    def slab(self, recipe: Recipe, network: Unrolled) -> Slab | None:
        """The part of it that a training batch takes; None for all."""
        data, length = recipe.data, self.space[self.first]
        if data.slab is None:
            return None
        margin = network.reach(self.first) if data.margin is None else data.margin
        size = min(data.slab, length)
        wide = min(size + 2 * margin, length)
        first = min(margin, wide - size)
        return Slab(self.first, range(first, first + size), range(wide))

    def voxels(self, recipe: Recipe, positions: range | None) -> int:
        """Voxels of a coil in a batch, where all positions are taken or some."""
        return recipe.images_per_step * self.frames * math.prod(self._part(positions))

    def batch(self, recipe: Recipe, slab: Slab | None, coils: int, at_once: int) -> Batch:
        """A training batch, whatever tensors are made of just now.

        Args:
            recipe: of the training.
            slab: see `slab`.
            coils: how many are there.
            at_once: coils that are transformed together; 0 as suits the device.
        """
        axes, count, sampled = self.axes(recipe), recipe.images_per_step, self.mask_shape(recipe)
        wide, core = self._part(None), self._part(None)
        if slab is not None:
            wide, core = self._part(slab.wide), self._part(slab.core)
        sets, frames = recipe.network.sets, self.frames

        def maps(space: Sequence[int]) -> Tensor:
            return torch.empty(count, sets, coils, 1, *space, dtype=torch.complex64)

        def mask() -> Tensor:
            return torch.empty(count, 1, *sampled, dtype=torch.bool)

        def image(space: Sequence[int], first: int = sets) -> Tensor:
            return torch.empty(count, first, frames, *space, dtype=torch.complex64)

        fetched = recipe.training.maps == "host"
        sense = Sense(maps(wide), mask(), axes, at_once, fetched)
        heldout = None
        if recipe.training.target == "kspace":
            of_core = sense.maps if slab is None else maps(core)
            of_samples = Sense(of_core, mask(), axes, at_once, fetched)
            heldout = HeldOut(of_samples, image(core, coils))
        return Batch(
            measurement=Measurement(sense, image(wide), torch.empty(count)),
            target=None if heldout else image(wide),
            scans=[""] * count,
            slices=[0] * count,
            matrix=self.space,
            cores=None if slab is None else [slab] * count,
            heldout=heldout,
        )

    def _part(self, positions: range | None) -> tuple[int, ...]:
        space = list(self.space)
        if positions is not None:
            space[self.first] = len(positions)
        return tuple(space)


def scan_of(
    recipe: Recipe,
    shape: Sequence[int] | None = None,
    coils: int | None = None,
    frames: int | None = None,
) -> ScanSize:
    """Size of the scans that a recipe is to learn from: as it is said, or else that of its largest
    example.

    Raises:
        BadInput: nothing is said and no examples are there; or no scan has such a size.
    """
    if shape is not None:
        if coils is None:
            raise BadInput("--shape says how large scans are, but not how many --coils they have")
        whole = ScanSize(tuple(shape), coils, frames or 1)
        if recipe.data.volumes == "whole" or len(whole.space) == 2:
            return whole
        return replace(whole, space=whole.space[1:])  # a slice across what is read out
    if coils is not None or frames is not None:
        raise BadInput("--coils and --frames go with --shape; without it examples say all of it")
    if not recipe.data.train.exists():
        raise BadInput(
            f"data.train: {recipe.data.train}: is not there (yet); say with --shape and --coils "
            "how large scans are"
        )
    examples = taken(find(recipe.data.train, recipe.network.sets), recipe.data.volumes)
    return max(map(ScanSize.of, examples), key=lambda one: one.size)


def as_on_gpu(batch: Batch) -> Batch:
    """The same batch, of which what is fetched lies on the host."""
    measurement, heldout = batch.measurement.whole(), batch.heldout
    if not measurement.sense.fetched:
        return batch
    sense = replace(measurement.sense, maps=measurement.sense.maps.to(HOST))
    if isinstance(heldout, HeldOut):
        of_samples = replace(heldout.sense, maps=heldout.sense.maps.to(HOST))
        heldout = HeldOut(of_samples, heldout.kspace.to(HOST))
    return replace(batch, measurement=replace(measurement, sense=sense), heldout=heldout)


def tensors_of(batch: Batch) -> list[Tensor]:
    """All that a batch holds."""
    measurement, heldout = batch.measurement.whole(), batch.heldout
    found = [measurement.sense.maps, measurement.mask, measurement.adjoint, measurement.noise]
    if isinstance(heldout, HeldOut):
        found += [heldout.sense.maps, heldout.sense.mask, heldout.kspace]
    return tensors((found, batch.target))
