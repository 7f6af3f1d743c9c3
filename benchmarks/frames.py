"""A network of slices on the frames of simulated series, adapted to all of them together, beside
methods of series.

    python -m benchmarks.frames --start gleam-2d

Maps come from the average over time; every frame is a slice with its own mask. That is what a
network of slices could do with a series, and it loses by far: so it is not offered (docs/adapt.md).
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.measure import figure, keep, show
from gleam.arrays import Image
from gleam.data.batch import Batch
from gleam.data.collate import Item, collate
from gleam.data.example import Example, Slice
from gleam.data.loader import every_slice
from gleam.data.masks import mask_seed, sampling
from gleam.physics.classical import CLASSICAL
from gleam.physics.measurement import Measured
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import MaskRecipe
from gleam.runs.adaptation import Adaptation, adapted
from gleam.runs.assembly import make_learner, training_batches
from gleam.runs.initial import initial
from gleam.runs.learner import quality_of
from gleam.runs.start import Start
from gleam.simulation.scan import simulate_scan

CASES = (("kt-golden", 4, 60.0), ("kt-vista", 4, 25.0), ("kt-random", 8, 30.0))
FRAMES = 16
RIVALS = ("wavelet", "temporal-tv", "low-rank")


class Frame:
    """A frame of a series as a slice that was undersampled by the frame's own mask."""

    path: Path | None = None
    complete = False

    def __init__(self, series: Example, sampled: Tensor, frame: int) -> None:
        one, self.sets = series[0], series.sets
        name = f"{series.header.name}-{frame}"
        self.header = series.header.model_copy(update={"name": name})
        self.shape = (1, series.shape[1], 1, *series.shape[3:])
        self.sampled = sampled[frame : frame + 1]
        self._slice = Slice(one.kspace[:, frame : frame + 1] * self.sampled, one.maps, None)

    def __getitem__(self, index: int) -> Slice:
        return self._slice

    def slab(self, positions: range) -> Slice:
        """Slices are not taken apart."""
        raise NotImplementedError

    def maps(self, positions: range) -> Tensor:
        """Slices are not taken apart."""
        raise NotImplementedError


def case(start: Path, kind: str, acceleration: float, snr: float, seed: int) -> dict[str, float]:
    """Complex PSNR in dB of each method."""
    scan = simulate_scan((64, 64), 6, 1, snr, (99, seed), 1, f"heart-{seed}", frames=FRAMES)
    series = Prepared(scan, Settings(calibration=0))
    mask = MaskRecipe.model_validate({"kind": kind, "acceleration": acceleration})
    item = Item(series, 0, mask_seed(series.header.name))
    batch, sampled = collate([item], mask), sampling(series, item.seed, mask)
    frames = [Frame(series, sampled, frame) for frame in range(FRAMES)]
    begun = Start.of(start)
    recipe = adapted(begun, frames, Adaptation())
    network = initial(recipe)
    found = {name: quality(CLASSICAL[name](batch.measurement), batch) for name in RIVALS}
    found["unadapted"] = quality(together(network, frames), batch)
    learner, batches = make_learner(network, recipe), training_batches(frames, recipe, network)
    for step in range(recipe.training.steps):
        learner.step(batches.at(step), step)
    return found | {"adapted": quality(together(network, frames), batch)}


@torch.no_grad()
def together(method: Callable[[Measured], Image], frames: list[Frame]) -> Image:
    """The series of all frames' images."""
    return torch.cat([method(one.measurement) for one in every_slice(frames, None)], 2)


def quality(image: Image, batch: Batch) -> float:
    """Complex PSNR in dB."""
    return float(quality_of(image, batch))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--start", type=Path, required=True, help="run to adapt, or what ships")
    a = parser.parse_args()
    over = []
    for seed, one in enumerate(CASES):
        found = case(a.start, *one, seed)
        over.append(found["adapted"] - found["temporal-tv"])
        values = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
        print(f"{one[0]} {one[1]}×, SNR {one[2]:g}: {values} dB", flush=True)
    command = f"frames --start {a.start.name}"
    figures = {"adapt.frames_minus_temporal_tv_db_best": figure(max(over), "dB", command)}
    show(figures)
    keep(figures)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
