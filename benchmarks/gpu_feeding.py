"""How busy a GPU is while it trains, loader included, and how long a verb takes to start."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu_cases import Case, recipe_of
from gleam import recipe as recipes
from gleam.data.batch import Batch
from gleam.data.example import ExampleFile, Slice, write
from gleam.data.header import Header
from gleam.recipe import Recipe
from gleam.runs.assembly import make_learner, training_batches
from gleam.runs.initial import initial
from gleam.runs.learner import Learner
from gleam.training.timing import settled

STEPS, PROFILED, WARM = 50, 10, 6  # the first ones are launched one by one, and then recorded
SLICES = 8
NO_KERNELS = ("Memcpy", "Memset", "Optimizer.", "ProfilerStep")  # the last two hold others


def busy(case: Case, device: torch.device, steps: int = STEPS) -> float:
    """Time of the kernels of a training step over its wall time; steps of batches from files."""
    with _recipe(case) as recipe:
        network = initial(recipe).to(device)
        learner = make_learner(network, recipe)
        batches = training_batches([ExampleFile(_file(recipe))], recipe, network)
        feed = batches.between(0, WARM + steps + PROFILED, device)
        _train(learner, feed, WARM)
        wall = _train(learner, feed, steps) / steps
        kind = ProfilerActivity.CUDA if device.type == "cuda" else ProfilerActivity.CPU
        with profile(activities=[kind]) as profiler:
            _train(learner, feed, PROFILED)
    return _computing(profiler, device) / PROFILED / wall


def start_up(case: Case, device: torch.device) -> float:
    """Seconds that `gleam train` takes for one step, beyond what importing torch takes."""
    with _recipe(case) as recipe, TemporaryDirectory(prefix="gleam-start-") as place:
        recipes.save(recipe, Path(place) / "recipe.yaml")
        train = ["-m", "gleam", "train", "recipe.yaml", "--out", "run", "--device", str(device)]
        _seconds(["-c", "import torch"], place)  # from the disk
        torch_alone = _seconds(["-c", "import torch"], place)
        return _seconds([*train, "--training.steps", "1"], place) - torch_alone


def _train(learner: Learner, feed: Iterator[Batch], steps: int) -> float:
    settled(learner.device)
    began = time.perf_counter()
    for _ in range(steps):
        learner.step(next(feed), 0)
    settled(learner.device)
    return time.perf_counter() - began


def _computing(profiler: Any, device: torch.device) -> float:
    """Seconds in which any kernel ran; copies to and from the host are none."""
    kind = DeviceType.CUDA if device.type == "cuda" else DeviceType.CPU
    spans = sorted(
        (event.start_ns(), event.start_ns() + event.duration_ns())
        for event in profiler.profiler.kineto_results.events()
        if event.device_type() == kind and not event.name().startswith(NO_KERNELS)
    )
    total = until = 0
    for start, end in spans:
        total += max(0, end - max(start, until))
        until = max(until, end)
    return total / 1e9


def _seconds(arguments: list[str], place: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=place, check=True, capture_output=True)
    return time.perf_counter() - began


@contextmanager
def _recipe(case: Case) -> Iterator[Recipe]:
    """Of greedy training, whose data are there."""
    with TemporaryDirectory(prefix="gleam-busy-") as place:
        write(RandomExample(case), Path(place) / "random.h5")
        recipe = recipe_of(case, "greedy", "auto")
        data = {"train": place, "batch": case.batch}
        yield recipe.changed(data=data, mask={"acceleration": 4})


def _file(recipe: Recipe) -> Path:
    assert recipe.data.train is not None
    return recipe.data.train / "random.h5"


@dataclass(frozen=True)
class RandomExample:
    """An example of a case's shape, of random numbers."""

    case: Case
    path: Path | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """(slice, coil, frame, *space)."""
        slices = SLICES if self.case.dimensions == 2 else 1
        return (slices, self.case.coils, self.case.frames, *self.case.space)

    @property
    def sets(self) -> int:
        """Map sets."""
        return 1

    @property
    def complete(self) -> bool:
        """It has a target."""
        return True

    @property
    def sampled(self) -> Tensor:
        """All of it."""
        return torch.ones(1, *self.case.mask_shape[3:], dtype=torch.bool)

    @cached_property
    def header(self) -> Header:
        """As if the readout had been decoded, where the mask does not vary along it."""
        space = self.case.space
        readout = next((a for a in range(-len(space), 0) if a not in self.case.axes), -2)
        return Header(
            name="random",
            axes=self.case.axes,
            readout=readout,
            calibration=tuple(max(2, n // 16) for n in space),
            scale=1.0,
            noise=0.05,
            matrix=space,
            voxel=(1.0, 1.0, 1.0),
            affine=tuple(tuple(float(i == k) for k in range(4)) for i in range(4)),
            contrast={},
        )

    def __getitem__(self, index: int, /) -> Slice:
        """One slice."""
        sense, target = self.case.forward_model()
        return Slice(sense.forward(target)[0], sense.maps[0], target[0])

    def slab(self, positions: range, /) -> Slice:
        """Some positions along the readout."""
        axis = self.header.slab_axis
        assert axis is not None
        whole = self[0]
        parts = [x.narrow(axis, positions.start, len(positions)) for x in vars(whole).values()]
        return Slice(*parts)

    def maps(self, positions: range, /) -> Tensor:
        """The maps of a slab."""
        return self.slab(positions).maps
