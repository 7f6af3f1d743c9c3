"""Networks trained on simulated data alone, on real brains they never saw.

Rivals are zero filling, CG-SENSE and BART's wavelet compressed sensing (`bart pics -l1`), all from
the same k-space and maps. What a rival leaves free is chosen on simulated validation scans, as the
networks' weights were; the brains choose nothing. One row is an upper bound instead: "wavelet,
oracle" takes the weight that is best for each brain.

    python -m benchmarks.real_brains --equispaced RUN --poisson RUN --data FOLDER \\
        --validation FOLDER --out FOLDER

A run is the folder of `gleam train`; its mask is the one that is tested. Written are results.md,
results.json, and for each mask report.html, tables, and a picture per brain with errors × 5.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import scipy.optimize
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.brains import brains
from gleam.arrays import Image
from gleam.cli import main as gleam
from gleam.data.batch import Batch
from gleam.data.example import Example, find
from gleam.data.loader import every_slice
from gleam.evaluation import examples as pictures
from gleam.evaluation.evaluate import Method, evaluate
from gleam.evaluation.pictures import window
from gleam.evaluation.report import write_report
from gleam.evaluation.runs import summary_of
from gleam.evaluation.tables import write_tables
from gleam.metrics import psnr_complex
from gleam.physics.fourier import centred, fft
from gleam.physics.measurement import Measurement
from gleam.recipe import MaskRecipe
from gleam.reconstruction.baselines import cg_sense, zero_filled
from gleam.training.run import load_run, read_summary

Array = NDArray[np.complex64]

CG_WEIGHTS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1)
CG_STEPS = (3, 5, 8, 12, 20)
WAVELET_WEIGHTS = np.geomspace(3e-4, 0.1, 9).round(5).tolist()
ERROR_GAIN = 5


@dataclass(frozen=True)
class Case:
    """An undersampled slice.

    Attributes:
        batch: what the methods of GLEAM reconstruct from, and the target.
        kspace: (coil, y, x), the same data as BART wants them: centred, zero where not sampled.
    """

    batch: Batch
    kspace: Array

    @property
    def measurement(self) -> Measurement:
        """A and Aᴴy."""
        return self.batch.measurement

    def psnr(self, image: Image) -> float:
        """Complex PSNR in dB."""
        assert self.batch.target is not None
        return float(psnr_complex(image, self.batch.target))


def undersample(examples: Sequence[Example], mask: MaskRecipe) -> list[Case]:
    """Every slice, with the one mask that is drawn from its scan's name."""
    cases = []
    for example in examples:
        decoded = tuple(axis for axis in (-2, -1) if axis not in example.header.axes)
        for batch in every_slice([example], mask):
            kspace = example[batch.slices[0]].kspace[:, 0]
            kspace = fft(kspace, decoded) if decoded else kspace
            kspace = kspace * batch.measurement.sense.mask[0, 0]
            cases.append(Case(batch, centred(kspace, (-2, -1)).numpy()))
    return cases


def bart(case: Case, penalty: str) -> Image:
    """`bart pics` with the case's own maps; its λ is in units of our images (-w 1).

    The image is zero where the maps are, as the target is: there A says nothing of it, and
    wavelets would spill over.
    """
    maps = case.measurement.sense.maps[0, :, :, 0].numpy()
    with tempfile.TemporaryDirectory() as folder:
        write_cfl(Path(folder) / "kspace", case.kspace)
        write_cfl(Path(folder) / "maps", maps)
        command = f"bart pics {penalty} -i 100 -e -w 1 kspace maps image".split()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        image = np.fromfile(Path(folder) / "image.cfl", "<c8")
    sets, _, height, width = maps.shape
    image = image.reshape(sets, width, height).swapaxes(1, 2) * maps.any(axis=1)
    # Along an axis of 2 (mod 4) positions, pics has the opposite sign of BART's own `fft -u`.
    sign = (-1) ** sum(size % 4 == 2 for size in (height, width))
    return torch.from_numpy(sign * image)[None, :, None]


def write_cfl(path: Path, coils: Array) -> None:
    """(coil, y, x), or with sets before it, as BART's dimensions 1 × y × x × coil × set."""
    *counts, height, width = coils.shape
    sizes = " ".join(map(str, (1, height, width, *reversed(counts))))
    path.with_suffix(".hdr").write_text(f"# Dimensions\n{sizes}\n")
    coils.swapaxes(-1, -2).astype("<c8").tofile(path.with_suffix(".cfl"))


def wavelet(case: Case, weight: float) -> Image:
    """argmin ½‖A x − y‖² + weight · ‖wavelet transform of x‖₁: FISTA with random shifts."""
    return bart(case, f"-l1 -r {weight}")


def check_conventions(case: Case) -> float:
    """Relative distance of BART's SENSE from ours; else no figure below would mean anything."""
    ours, theirs = cg_sense(case.measurement, 0.1, 100), bart(case, "-l2 -r 0.1")
    distance = float((ours - theirs).norm() / ours.norm())
    assert distance < 1e-3, f"BART's SENSE differs from ours by {distance:.1e}: conventions differ"
    return distance


def mean_psnr(images: Iterable[Image], cases: Sequence[Case]) -> float:
    return fmean(case.psnr(image) for image, case in zip(images, cases, strict=True))


def oracle(case: Case) -> float:
    """The wavelet weight that is best for this very case, to 7 %."""
    found = scipy.optimize.minimize_scalar(
        lambda exponent: -case.psnr(wavelet(case, 10**exponent)),
        bounds=np.log10([WAVELET_WEIGHTS[0], WAVELET_WEIGHTS[-1]]),
        options={"xatol": 0.03},
    )
    return float(10**found.x)


def study(folder: Path, real: Sequence[Example], simulated: Sequence[Example], out: Path) -> Any:
    """One mask: choose, reconstruct, write; returns every figure."""
    recipe, network = load_run(folder)
    validation = undersample(simulated, recipe.mask)
    cases = undersample(real, recipe.mask)
    distances = [check_conventions(case) for case in (validation[0], *cases)]
    cg = {
        setting: mean_psnr((cg_sense(c.measurement, *setting) for c in validation), validation)
        for setting in product(CG_WEIGHTS, CG_STEPS)
    }
    wavelets = {
        weight: mean_psnr((wavelet(c, weight) for c in validation), validation)
        for weight in WAVELET_WEIGHTS
    }
    best_cg, best_weight = max(cg, key=cg.__getitem__), max(wavelets, key=wavelets.__getitem__)
    oracles = [oracle(case) for case in cases]

    methods = [
        Method("zero-filled", lambda m: iter([zero_filled(m)])),
        Method("CG-SENSE", lambda m: iter([cg_sense(m, *best_cg)])),
        Method("wavelet", in_turn(wavelet(case, best_weight) for case in cases)),
        Method("wavelet, oracle", in_turn(map(wavelet, cases, oracles))),
        Method("network", network.iterates),
    ]
    evaluation = evaluate(methods, [case.batch for case in cases], examples=len(cases))
    title = f"Real brains, {recipe.mask.kind} {recipe.mask.acceleration:g}×"
    write_tables(evaluation, out)
    write_report(out / "report.html", evaluation, [summary_of(folder, "network", recipe)], title)
    for example in evaluation.examples:
        panel(example, title, out / f"{example.scan.split()[0]}.png")
    return {
        "trained": {key: read_summary(folder).get(key) for key in ("steps", "best_step")},
        "bart_sense_differs_by": max(distances),
        "validation": {
            "cg_sense": [[*setting, value] for setting, value in cg.items()],
            "wavelet": list(wavelets.items()),
            "network": mean_psnr((network(c.measurement) for c in validation), validation),
        },
        "chosen": {"cg_sense": best_cg, "wavelet": best_weight},
        "oracle": {c.batch.scans[0]: weight for c, weight in zip(cases, oracles, strict=True)},
        "network_after_iteration": [
            list(map(c.psnr, network.iterates(c.measurement))) for c in cases
        ],
        "scores": [vars(score) for score in evaluation.scans],
    }


def in_turn(images: Iterable[Image]) -> Callable[[Measurement], Iterator[Image]]:
    """As a method: BART needs k-space, which a `Measurement` does not hold.

    `evaluate` asks a method once for every batch, in their order.
    """
    waiting = iter(images)
    return lambda measurement: iter([next(waiting)])


def panel(example: pictures.Example, title: str, path: Path) -> None:
    """Target and images in one window, error maps below, `ERROR_GAIN` times as bright."""
    white, view = window(example), example.views[0]
    height, width = view.target.shape[1:]
    columns = 1 + len(view.images)
    figure = Figure(figsize=(2.2 * columns, 2.2 * 2 * height / width + 0.6), layout="constrained")
    axes = figure.subplots(2, columns)
    for one in axes.flat:
        one.set_axis_off()
    axes[0, 0].imshow(view.target[0], cmap="gray", vmin=0, vmax=white)
    axes[0, 0].set_title("target", fontsize=9)
    axes[1, 0].imshow(example.sampling, cmap="gray", aspect="auto")
    axes[1, 0].set_title(f"sampling; errors × {ERROR_GAIN}", fontsize=9)
    for (upper, lower), method in zip(axes.T[1:], view.images, strict=True):
        upper.imshow(view.images[method][0], cmap="gray", vmin=0, vmax=white)
        upper.set_title(f"{method}\n{example.scores[method].psnr_complex:.2f} dB", fontsize=9)
        lower.imshow(view.errors[method][0], cmap="inferno", vmin=0, vmax=white / ERROR_GAIN)
    figure.suptitle(f"{title}: {example.scan}", fontsize=10)
    figure.savefig(path, dpi=110)


def table(results: dict[str, Any]) -> str:
    """Markdown: a row per mask and method, a column per brain, complex PSNR in dB and SSIM."""
    scores = [score for result in results.values() for score in result["scores"]]
    scans = list(dict.fromkeys(score["scan"] for score in scores))
    lines = ["| mask | method | " + " | ".join(scans) + " |", "| --- " * (2 + len(scans)) + "|"]
    for mask, result in results.items():
        for method in dict.fromkeys(score["method"] for score in result["scores"]):
            own = {s["scan"]: s for s in result["scores"] if s["method"] == method}
            cells = [f"{own[n]['psnr_complex']:.2f} / {own[n]['ssim']:.3f}" for n in scans]
            lines.append(f"| {mask} | {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--equispaced", type=Path, required=True, help="run with a 1-D mask")
    parser.add_argument("--poisson", type=Path, required=True, help="run with a 2-D mask")
    parser.add_argument("--data", type=Path, required=True, help="folder of the real scans")
    parser.add_argument("--validation", type=Path, required=True, help="simulated, prepared")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    a = parser.parse_args()

    real, simulated = brains(a.data), find(a.validation, 1)
    results = {
        name: study(folder, real, simulated, a.out / name)
        for name, folder in {"equispaced": a.equispaced, "poisson": a.poisson}.items()
    }
    (a.out / "results.json").write_text(json.dumps(results, indent=2))
    (a.out / "results.md").write_text(table(results))
    print(table(results))
    # Undersampled when they were scanned: nothing to measure against, only to look at.
    for scanned in ("brain8ch_espirit_und2x2.cfl", "brain8ch_poisson_us_sigpy.npy"):
        for method in ("zero-filled", "cg-sense", str(a.poisson)):
            picture = a.out / f"{Path(scanned).stem}-{Path(method).name}.png"
            gleam(["reconstruct", method, str(a.data / scanned), "-o", str(picture)])


if __name__ == "__main__":
    main()
