"""Compressed sensing against BART's `pics`: same data, maps, prior and weight; dB and time.

    python -m benchmarks.compressed_sensing --data FOLDER

takes the real brains of `benchmarks.brains` from FOLDER, a simulated volume and a simulated heart,
each 4× and 8×. Times are of whole processes for BART, which starts one for each image; a heart's
are of its whole series. Positive: GLEAM is better. BART's steps: 100, its users' choice; ours are
what `gleam reconstruct` makes.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from benchmarks import bart
from benchmarks.brains import brains
from benchmarks.measure import Figures, figure, keep, show
from gleam.arrays import Image
from gleam.data.example import Example, ExampleFile, write
from gleam.physics.compressed_sensing import temporal_tv, wavelet
from gleam.physics.measurement import Measured
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import MaskRecipe
from gleam.simulation.scan import simulate_scan
from gleam.training.timing import interleaved, ratio

STILL = (MaskRecipe(kind="equispaced"), MaskRecipe(kind="poisson", acceleration=8))
BEATING = (MaskRecipe(kind="kt-random"), MaskRecipe(kind="kt-vista", acceleration=8))
WEIGHT = 0.005

Ours = Callable[[Measured], Image]
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
            ("minus_bart_db_worst", min(still[0]), "dB"),
            ("minus_bart_db_mean", sum(still[0]) / len(still[0]), "dB"),
            ("time_over_bart", max(still[1]), "×"),
            ("temporal_tv_minus_bart_db_worst", min(beating[0]), "dB"),
            ("temporal_tv_time_over_bart", max(beating[1]), "×"),
        )
    }


def compared(
    examples: Sequence[Example], masks: Sequence[MaskRecipe], ours: Ours, theirs: Theirs
) -> tuple[list[float], list[float]]:
    """dB of ours less theirs, and time of ours over theirs, of every slice or volume."""
    better, slower = [], []
    for mask in masks:
        for case in bart.undersample(examples, mask):
            mine, other = case.psnr(ours(case.measurement)), case.psnr(theirs(case, WEIGHT))
            works = {
                "ours": partial(ours, case.measurement),
                "theirs": partial(theirs, case, WEIGHT),
            }
            times = interleaved(works, 3)
            better.append(mine - other)
            slower.append(ratio(times["ours"], times["theirs"]))
            size = " × ".join(map(str, case.kspace.shape))
            print(f"{size}, {mask.kind}: {mine:.2f} dB, BART {other:.2f}; time {slower[-1]:.2f} ×")
    return better, slower


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real scans")
    figures = run(parser.parse_args().data)
    show(figures)
    keep(figures)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
