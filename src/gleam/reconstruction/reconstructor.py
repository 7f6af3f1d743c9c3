"""`Reconstructor`: every way from a measurement to images, with a network or without learning.

The greedy modules of a network were each trained to end with the best image they can, so a network
may stop at any module's end: after a given number of iterations, or as soon as they change nothing
that matters.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import torch
from torch import Tensor

from gleam.arrays import Image
from gleam.data.example import Example
from gleam.data.kind import ScanKind, kind_of_shape
from gleam.data.masks import mask_seed, sampling
from gleam.data.trained_on import TrainedOn
from gleam.errors import BadInput
from gleam.networks import Unrolled
from gleam.networks.unrolled import Call, called
from gleam.networks.weights import weights_of
from gleam.physics.classical import CLASSICAL, compressed_sensing_of
from gleam.physics.measurement import Measured
from gleam.physics.slices import AsSlices, comes_apart
from gleam.recipe import MaskRecipe
from gleam.runs.run import Run
from gleam.runs.shipped import ships
from gleam.training.graph import Graphs, ReplayedIterations, recorder
from gleam.words import counted

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Reconstructor(ABC):
    """A way to reconstruct that is ready to be used.

    Whatever the way, `check_reconstructor` of tests/reconstruction/test_reconstructor.py holds it
    to this: it yields images of Aᴴy's shape, on its device, without gradients; the last one is the
    result. The measurement may be on any device, and stays as it is. Nothing is remembered, so
    that threads may share it.

    Attributes:
        name: a run's folder, what ships, or one of `CLASSICAL`.
        device: where it computes.
    """

    name: str
    device: torch.device = field(default=CPU, kw_only=True)

    def iterates(self, measurement: Measured) -> Iterator[Image]:
        """The image after each iteration, one of a way without iterations."""
        measurement, slices = measurement.to(self.device), None
        kind = kind_of_shape(measurement.adjoint.shape[2:])
        if self.takes_slices_of(kind) and comes_apart(measurement):
            measurement = slices = AsSlices.of(measurement)
        images = self._images(measurement)
        while (image := _next(images)) is not None:
            yield image if slices is None else slices.together(image)

    def __call__(self, measurement: Measured) -> Image:
        """The reconstruction, (batch, set, frame, *space)."""
        return deque(self.iterates(measurement), maxlen=1).pop()

    @abstractmethod
    def _images(self, measurement: Measured) -> Iterator[Image]:
        """Images as of `iterates`, from a measurement that is on the device."""

    @property
    def words(self) -> str:
        """The method in words, for those who see its images."""
        return self.name

    @property
    def sets(self) -> int:
        """Map sets that scans are to be prepared with."""
        return 1

    def takes(self, sets: int) -> bool:
        """Whether scans of so many map sets can be given to it."""
        return sets == self.sets

    @property
    def stops(self) -> bool:
        """Whether it may end before the last of its iterations."""
        return False

    @property
    def learns(self) -> bool:
        """Whether it is a network, or another thing that was fitted to data."""
        return True

    @property
    def on_trial(self) -> bool:
        """Whether its image is taken only where a check without the truth ranks it first."""
        return False

    @property
    def trained_on(self) -> TrainedOn | None:
        """Data that it has learnt from; None where it has not, or nobody knows."""
        return None

    @property
    def force(self) -> bool:
        """Whether it is used on kinds of scans that it was not trained on."""
        return False

    def takes_slices_of(self, kind: ScanKind) -> bool:
        """Whether scans of a kind, volumes, are stacks of slices to it."""
        return self.trained_on is not None and self.trained_on.takes_slices_of(kind)

    def learnt_from(self, example: Example) -> bool:
        """Whether it has seen this very scan, or was chosen by it, as far as is known."""
        return self.trained_on is not None and bool(self.trained_on.seen([example]))

    def content(self) -> Iterator[bytes]:
        """Facts that its images depend on beside its `words`."""
        yield from ()

    def check(self, example: Example, mask: MaskRecipe | None = None) -> list[str]:
        """Make sure that it is for a scan.

        Args:
            example: to be reconstructed.
            mask: retrospective undersampling; None takes the scan as it was acquired.

        Returns:
            What may make its images worse, sentences that go on from "`name`: ".

        Raises:
            BadInput: a mask that cannot be, or for a scan that is undersampled already; a network
                takes other map sets, or was trained on another kind of scans.
        """
        if mask is not None:
            name = example.header.name
            if not example.complete:
                raise BadInput(
                    f"{name}: was undersampled when it was scanned; reconstruct it without a mask"
                )
            sampling(example, mask_seed(name), mask)
        if not self.takes(example.sets):
            raise BadInput(
                f"{self.name}: takes {counted(self.sets, 'map set')}, but {example.header.name} "
                f"was prepared with {example.sets}; prepare it with as many, or take "
                f"{compressed_sensing_of(example.shape[2])}, which takes any"
            )
        if self.trained_on is None:
            return []
        wrong = self.trained_on.check_kind(self.name, example, self.force)
        return wrong + self.trained_on.doubts(example, mask)


@dataclass(frozen=True)
class Classical(Reconstructor):
    """A reconstruction without learning.

    Attributes:
        method: from a measurement to an image.
    """

    method: Callable[[Measured], Image]

    def takes(self, sets: int) -> bool:
        """Any number of map sets."""
        return True

    @property
    def learns(self) -> bool:
        """Unless it is one of `CLASSICAL`: a function of somebody's own may be a network."""
        return self.method not in CLASSICAL.values()

    def _images(self, measurement: Measured) -> Iterator[Image]:
        image, like = self.method(measurement), measurement.adjoint
        if not isinstance(image, Tensor) or image.shape != like.shape:
            given = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
            raise BadInput(
                f"{self.name}: gives {given}; a method gives an image, a tensor of shape "
                f"{tuple(like.shape)} (batch, set, frame, *space)"
            )
        yield image.to(like.dtype)


@dataclass(frozen=True)
class Trained(Reconstructor):
    """A network, which may stop early.

    Attributes:
        network: is moved to the device.
        modules: iterations of each of its modules, from the first on.
        iterations: how many to make at most; None makes all.
        change: stop at the end of a module whose image differs from that of the one before by less
            than this, ‖difference‖ / ‖image‖ of every example; None does not look.
        sets, words, trained_on, force, on_trial: see `Reconstructor`.
        call: has an iteration computed; see `Unrolled.advance`.
    """

    network: Unrolled
    modules: Sequence[int] = ()
    iterations: int | None = None
    change: float | None = None
    sets: int = 1
    words: str = "neural network"
    trained_on: TrainedOn | None = None
    force: bool = False
    call: Call = called
    on_trial: bool = False

    def __post_init__(self) -> None:
        self.network.to(self.device).eval()

    @classmethod
    def of(
        cls,
        run: Path,
        device: torch.device = CPU,
        iterations: int | None = None,
        change: float | None = None,
        force: bool = False,
    ) -> "Trained":
        """The network of a run; for the rest, see the class.

        Raises:
            BadInput: the folder is not a run, or its files are broken; it has fewer iterations, or
                no modules to stop after.
        """
        trained = Run(run)
        recipe, network = trained.recipe, trained.network
        most, kind = recipe.network.iterations, recipe.network.build or recipe.network.family
        if iterations is not None and not 1 <= iterations <= most:
            raise BadInput(
                f"{run}: has {counted(most, 'iteration')}, so --iterations is 1 to {most}"
            )
        frozen, sizes = recipe.training.frozen, recipe.module_sizes()
        modules = [frozen, *sizes] if frozen else sizes
        if change is not None and len(modules) == 1:
            raise BadInput(
                f"{run}: was trained end-to-end, so it has an image at its end only and --until "
                "cannot stop it; give a greedy run"
            )
        return cls(
            str(run),
            network,
            modules,
            iterations,
            change,
            sets=recipe.network.sets,
            words=f"neural network, {kind} of {counted(most, 'iteration')}",
            trained_on=trained.trained_on,
            force=force,
            call=ReplayedIterations(Graphs(recorder(recipe, device, learns=False))),
            on_trial=ships(run),
            device=device,
        )

    @property
    def stops(self) -> bool:
        """Whether it may end before the last of its iterations."""
        return self.iterations is not None or self.change is not None

    def content(self) -> Iterator[bytes]:
        """Its weights, when it stops, and whether another method may stand in for it."""
        yield repr((self.modules, self.iterations, self.change)).encode()
        if self.on_trial:
            yield b"on trial"
        for name, tensor in sorted(weights_of(self.network).items()):
            yield name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes()

    def _images(self, measurement: Measured) -> Iterator[Image]:
        ends = set(accumulate(self.modules))
        state = self.network.first(measurement)
        before = self.network.image(state)
        images = self.network.iterates_from(state, measurement, self.call)
        for made, image in enumerate(images, 1):
            yield image
            if made == self.iterations:
                return
            if self.change is not None and made in ends:
                if _difference(image, before) < self.change:
                    return
                before = image


@torch.no_grad()  # while an image is made, and not while it is looked at
def _next(images: Iterator[Image]) -> Image | None:
    return next(images, None)


def _difference(image: Image, before: Image) -> float:
    """The largest of all examples, relative; 0 of an empty image that stays empty."""
    change = (image - before).flatten(1).norm(dim=1)
    size = image.flatten(1).norm(dim=1)
    return float((change / size.clamp(min=1e-30)).max())
