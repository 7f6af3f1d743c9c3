"""A real head that is larger than its field of view, with one ESPIRiT map set and with two.

    python -m benchmarks.two_sets --data FOLDER --out FOLDER

prints a table, 4× equispaced (benchmarks/results/two_sets.md), and writes two_sets.png into the
folder `--out`. It shows the head, whose data are for research: look at it, and leave it out of
what is published.

Images with one set and with two are not the same thing, so they are compared by what both say of
the scan: coil images Σ S_s x_s, against those of the fully sampled scan. PSNR of the coil images is
20 log₁₀(peak / RMSE), the squared error summed over coils and the peak that of their root sum of
squares; the other PSNR, and the picture, are of the root sum of squares. "Fully sampled" is the
SENSE combination of all data: what the maps leave unexplained, noise included, and so a bound.

The wavelet's weight is chosen for each number of sets on simulated scans, folded like this one.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from benchmarks.bart import Case, undersample, wavelet
from benchmarks.brains import sampled_box
from benchmarks.real_study import WEIGHTS
from gleam.arrays import Image
from gleam.formats import Layout, Scan, read_scan
from gleam.formats.scan import centred_affine
from gleam.networks import build
from gleam.physics.baselines import cg_sense, zero_filled
from gleam.physics.fourier import centred, fft, ifft, shift_free
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import MaskRecipe, NetworkRecipe
from gleam.simulation import simulate_scan

MASK = MaskRecipe(kind="equispaced", acceleration=4)
SIMULATED = 6
ERROR_GAIN = 5


def folded(scan: Scan, columns: int) -> Scan:
    """The scan as if its field of view along x had only so many columns: edges wrap around."""
    kspace = torch.from_numpy(np.stack([scan.kspace[i] for i in range(scan.kspace.shape[0])]))
    wide = ifft(shift_free(kspace, (-1,)), (-1,))
    width = wide.shape[-1]
    place = (torch.arange(width) - width // 2 + columns // 2) % columns
    narrow = torch.zeros(*wide.shape[:-1], columns, dtype=wide.dtype).index_add(-1, place, wide)
    matrix = (scan.matrix[0], columns)
    return replace(
        scan,
        kspace=centred(fft(narrow, (-1,)), (-1,)).numpy(),
        matrix=matrix,
        affine=centred_affine(matrix, scan.voxel, scan.kspace.shape[0]),
        calibration=((0, kspace.shape[-2]), (0, columns)),
    )


def coil_images(maps: Tensor, image: Image) -> Tensor:
    """(coil, y, x) that an image says, with maps (set, coil, 1, y, x)."""
    return (maps * image[0][:, None]).sum(0)[:, 0]


def reference(example: Prepared) -> Tensor:
    """(coil, y, x) of the fully sampled scan."""
    return ifft(example[0].kspace, example.header.axes)[:, 0]


def combined(coils: Tensor) -> Tensor:
    """The root sum of squares."""
    return torch.linalg.vector_norm(coils, dim=0)


def scores(found: Tensor, wanted: Tensor) -> tuple[float, float]:
    """PSNR in dB of the coil images, and of their root sum of squares."""
    peak = float(combined(wanted).max())
    errors = combined(found - wanted), combined(found) - combined(wanted)
    coils, magnitude = (20 * np.log10(peak / float(e.square().mean().sqrt())) for e in errors)
    return float(coils), float(magnitude)


def chosen_weight(sets: int) -> float:
    """The wavelet's weight that is best on simulated folded scans."""
    examples = [
        Prepared(
            folded(simulate_scan((128, 154), 8, 1, (20.0, 100.0), seed), 110), Settings(None, sets)
        )
        for seed in range(SIMULATED)
    ]
    cases = undersample(examples, MASK)

    def quality(weight: float) -> float:
        return fmean(
            scores(coil_images(e[0].maps, wavelet(c, weight)), reference(e))[0]
            for e, c in zip(examples, cases, strict=True)
        )

    return max(WEIGHTS, key=quality)


def methods(sets: int) -> dict[str, Callable[[Case], Image]]:
    weight = chosen_weight(sets)
    network = build(NetworkRecipe(sets=sets), 0).requires_grad_(False)
    return {
        "fully sampled": _target,
        "zero-filled": lambda case: zero_filled(case.measurement),
        "CG-SENSE": lambda case: cg_sense(case.measurement),
        "untrained network": lambda case: network(case.measurement),
        f"wavelet, {weight:g}": lambda case: wavelet(case, weight),
    }


def _target(case: Case) -> Image:
    assert case.batch.target is not None
    return case.batch.target


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real scans")
    parser.add_argument("--out", type=Path, required=True, help="folder of the picture")
    a = parser.parse_args()
    # Partial along x only, so y was the readout.
    path = a.data / "brain8ch_smallfov_full.mat"
    scan = sampled_box(read_scan(path, Layout.parse("y:readout x coil")))
    pictures: dict[str, Tensor] = {}
    print("| map sets | method | PSNR, coil images (dB) | PSNR, root sum of squares (dB) |")
    print("| --- | --- | --- | --- |")
    for sets in (1, 2):
        example = Prepared(scan, Settings(None, sets))
        (case,), wanted = undersample([example], MASK), reference(example)
        pictures["reference"] = combined(wanted)
        for name, method in methods(sets).items():
            found = coil_images(example[0].maps, method(case))
            coils, magnitude = scores(found, wanted)
            print(f"| {sets} | {name} | {coils:.2f} | {magnitude:.2f} |")
            pictures[f"{name}\n{sets} map set{'s' * (sets > 1)}, {magnitude:.2f} dB"] = combined(
                found
            )
    a.out.mkdir(parents=True, exist_ok=True)
    draw(pictures, a.out / "two_sets.png")


def draw(pictures: dict[str, Tensor], path: Path) -> None:
    """Reference first; then a row for each number of sets, errors below the images."""
    target = pictures.pop("reference")
    white = float(np.quantile(target, 0.995))
    columns = len(pictures) // 2
    figure = Figure(figsize=(2.6 * (1 + columns), 12), layout="constrained")
    axes = figure.subplots(4, 1 + columns)
    for one in axes.flat:
        one.set_axis_off()
    axes[0, 0].imshow(target, cmap="gray", vmin=0, vmax=white)
    axes[0, 0].set_title(f"fully sampled coils\nerrors × {ERROR_GAIN}", fontsize=9)
    for place, (name, image) in enumerate(pictures.items()):
        row, column = divmod(place, columns)
        upper, lower = axes[2 * row : 2 * row + 2, 1 + column]
        upper.imshow(image, cmap="gray", vmin=0, vmax=white)
        upper.set_title(name, fontsize=9)
        lower.imshow((image - target).abs(), cmap="inferno", vmin=0, vmax=white / ERROR_GAIN)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
