"""Compressed sensing against BART's `pics`: same data, maps, prior and weight; dB and time.

    python -m benchmarks.compressed_sensing --data FOLDER

takes the real brains of `benchmarks.brains` from FOLDER, a simulated volume and a simulated heart,
each 4× and 8×. Times are of whole processes for BART, which starts one for each image; a heart's
are of its whole series. Positive: GLEAM is better. Both make 100 steps, BART's users' choice.
Figures called "default" are of as many of ours as `gleam reconstruct` makes: of 60, images of the
brains are 0.2 to 1.9 dB better than of 100, those of the 4x volume 0.1 dB worse.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean

import torch

from benchmarks import bart
from benchmarks.brains import brains
from benchmarks.measure import Figures, figure, keep, show
from gleam.arrays import Image
from gleam.data.example import Example, ExampleFile, write
from gleam.physics.compressed_sensing import temporal_tv, wavelet
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import MaskRecipe
from gleam.simulation.scan import simulate_scan
from gleam.training.timing import interleaved, ratio

STILL = (MaskRecipe(kind="equispaced"), MaskRecipe(kind="poisson", acceleration=8))
BEATING = (MaskRecipe(kind="kt-random"), MaskRecipe(kind="kt-vista", acceleration=8))
WEIGHT = 0.005
STEPS = 100

Ours = Callable[..., Image]  # of a measurement, and a number of steps
Theirs = Callable[[bart.Case, float], Image]


def run(data: Path) -> Figures:
    """Measure; figures by name."""
    scan = simulate_scan((24, 64, 64), coils=6, slices=1, snr=50.0, seed=1)
    heart = simulate_scan((64, 64), coils=6, slices=1, snr=80.0, seed=1, frames=16)
    series = Prepared(heart, Settings(calibration=0))
    with tempfile.TemporaryDirectory() as folder:  # whence slabs' maps are read, as by users
        write(Prepared(scan, Settings()), Path(folder) / "volume.h5")
        volume = ExampleFile(Path(folder) / "volume.h5")
        still = compared(
            [*brains(data), volume], STILL, partial(wavelet, weight=WEIGHT), bart.wavelet
        )
    beating = compared(
        [series], BEATING, partial(temporal_tv, weight=WEIGHT), bart.temporal_variation
    )
    return {
        f"cs.{name}": figure(value, unit, "compressed_sensing --data FOLDER")
        for name, value, unit in (
            ("minus_bart_db_worst", min(still.better), "dB"),
            ("minus_bart_db_mean", fmean(still.better), "dB"),
            ("default_minus_bart_db_worst", min(still.default), "dB"),
            ("default_minus_bart_db_mean", fmean(still.default), "dB"),
            ("time_over_bart", max(still.slower), "×"),
            ("default_time_over_bart", max(still.usual_time), "×"),
            ("temporal_tv_minus_bart_db_worst", min(beating.better), "dB"),
            ("temporal_tv_default_minus_bart_db_worst", min(beating.default), "dB"),
            ("temporal_tv_time_over_bart", max(beating.slower), "×"),
            ("temporal_tv_default_time_over_bart", max(beating.usual_time), "×"),
        )
    }


@dataclass
class Compared:
    """Of every slice or volume.

    Attributes:
        better: dB of ours less theirs, of as many steps.
        default: the same, of the steps that `gleam reconstruct` makes.
        slower: time of ours over theirs, of as many steps.
        usual_time: the same, of the steps that `gleam reconstruct` makes.
    """

    better: list[float] = field(default_factory=list)
    default: list[float] = field(default_factory=list)
    slower: list[float] = field(default_factory=list)
    usual_time: list[float] = field(default_factory=list)


def compared(
    examples: Sequence[Example], masks: Sequence[MaskRecipe], ours: Ours, theirs: Theirs
) -> Compared:
    """Compare ours, which takes `steps`, with theirs."""
    found, as_many = Compared(), partial(ours, steps=STEPS)
    for mask in masks:
        for case in bart.undersample(examples, mask):
            other = case.psnr(theirs(case, WEIGHT))
            mine, usual = (case.psnr(make(case.measurement)) for make in (as_many, ours))
            works = {
                "ours": partial(as_many, case.measurement),
                "usual": partial(ours, case.measurement),
                "theirs": partial(theirs, case, WEIGHT),
            }
            times = interleaved(works, 3)
            found.better.append(mine - other)
            found.default.append(usual - other)
            found.slower.append(ratio(times["ours"], times["theirs"]))
            found.usual_time.append(ratio(times["usual"], times["theirs"]))
            size = " × ".join(map(str, case.kspace.shape))
            print(
                f"{size}, {mask.kind}: {mine:.2f} dB, by default {usual:.2f}, BART {other:.2f}; "
                f"time {found.slower[-1]:.2f} ×",
                flush=True,
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real scans")
    figures = run(parser.parse_args().data)
    show(figures)
    keep(figures)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
