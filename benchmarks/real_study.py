"""Networks trained on simulated data alone, on real data they never saw: one mask, one table.

Rivals are zero filling, CG-SENSE and compressed sensing by BART's `pics`, from the same k-space and
maps; of series a sliding window, too. What a rival leaves free is chosen on simulated validation
scans, as the networks' weights were; the real data choose nothing. One row is an upper bound
instead: "…, oracle" takes the weight that is best for each scan.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize
from matplotlib.figure import Figure

from benchmarks.bart import Case, check_conventions, in_turn, mean_psnr, undersample
from gleam.arrays import Image
from gleam.data.example import Example
from gleam.evaluation.evaluate import evaluate
from gleam.evaluation.examples import Pictured
from gleam.physics.baselines import cg_sense, sliding_window, zero_filled
from gleam.physics.classical import TITLES
from gleam.physics.measurement import Measured
from gleam.reconstruction.reconstructor import Classical, Reconstructor, Trained
from gleam.report.evaluation import write_report
from gleam.report.tables import write_tables
from gleam.report.training import summary_of
from gleam.runs.folder import read_summary, read_trained_on
from gleam.runs.run import Run

CG_WEIGHTS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1)
CG_STEPS = (3, 5, 8, 12, 20)
WEIGHTS = np.geomspace(3e-4, 0.1, 9).round(5).tolist()
ERROR_GAIN = 5


@dataclass(frozen=True)
class Rival:
    """Compressed sensing.

    Attributes:
        name: of its penalty.
        image: of a case, at a weight.
    """

    name: str
    image: Callable[[Case, float], Image]


def oracle(rival: Rival, case: Case) -> float:
    """The weight that is best for this very case, to 7 %."""
    found = scipy.optimize.minimize_scalar(
        lambda exponent: -case.psnr(rival.image(case, 10**exponent)),
        bounds=np.log10([WEIGHTS[0], WEIGHTS[-1]]),
        options={"xatol": 0.03},
    )
    return float(10**found.x)


def study(
    folder: Path,
    real: Sequence[Example],
    simulated: Sequence[Example],
    rival: Rival,
    title: str,
    out: Path,
) -> Any:
    """Choose, reconstruct, write report.html, tables, and a picture per scan; returns every figure.

    Args:
        folder: of the network's run; its mask is the one that is tested.
        real: to test on.
        simulated: to choose weights on.
        rival: whose weight is chosen.
        title: of the pictures; the mask is added.
        out: folder of the results.

    Raises:
        BadInput: the network was made with one of the scans.
    """
    recipe, network = Run(folder).recipe, Run(folder).network
    read_trained_on(folder).check_unseen(str(folder), real)
    validation = undersample(simulated, recipe.mask)
    cases = undersample(real, recipe.mask)
    distances = [check_conventions(case) for case in (validation[0], *cases)]
    cg = {
        setting: mean_psnr((cg_sense(c.measurement, *setting) for c in validation), validation)
        for setting in product(CG_WEIGHTS, CG_STEPS)
    }
    weights = {
        weight: mean_psnr((rival.image(c, weight) for c in validation), validation)
        for weight in WEIGHTS
    }
    best_cg, best_weight = max(cg, key=cg.__getitem__), max(weights, key=weights.__getitem__)
    oracles = [oracle(rival, case) for case in cases]

    ways: dict[str, Callable[[Measured], Image]] = {
        TITLES["zero-filled"]: zero_filled,
        TITLES["cg-sense"]: lambda m: cg_sense(m, *best_cg),
    }
    if any(example.shape[2] > 1 for example in real):
        ways[TITLES["sliding-window"]] = sliding_window
    ways[rival.name] = in_turn(rival.image(case, best_weight) for case in cases)
    ways[f"{rival.name}, oracle"] = in_turn(map(rival.image, cases, oracles))
    methods: dict[str, Reconstructor] = {name: Classical(name, way) for name, way in ways.items()}
    methods["network"] = Trained("network", network)
    evaluation = evaluate(methods, [case.batch for case in cases])
    title = f"{title}, {recipe.mask.kind} {recipe.mask.acceleration:g}×"
    write_tables(evaluation, out)
    write_report(out / "report.html", evaluation, [summary_of(folder, "network", recipe)], title)
    for example in evaluation.pictures:
        psnr = {s.method: s.psnr_complex for s in evaluation.slices if s.scan == example.scan}
        panel(example, psnr, title, out / f"{example.scan.split()[0]}.png")
    return {
        "trained": {key: read_summary(folder).get(key) for key in ("steps", "best_step")},
        "bart_sense_differs_by": max(distances),
        "validation": {
            "cg_sense": [[*setting, value] for setting, value in cg.items()],
            rival.name: list(weights.items()),
            "network": mean_psnr((network(c.measurement) for c in validation), validation),
        },
        "chosen": {"cg_sense": best_cg, rival.name: best_weight},
        "oracle": {c.batch.scans[0]: weight for c, weight in zip(cases, oracles, strict=True)},
        "network_after_iteration": [
            list(map(c.psnr, network.iterates(c.measurement))) for c in cases
        ],
        "scores": [vars(score) for score in evaluation.scans],
    }


def panel(example: Pictured, psnr: dict[str, float], title: str, path: Path) -> None:
    """Target and images in one window, error maps below, `ERROR_GAIN` times as bright."""
    assert example.reference is not None
    assert example.sampling is not None
    white, middle = example.white, example.size[0] // 2
    target = example.reference.image()[middle, 0]
    images = {method: stack.image()[middle, 0] for method, stack in example.images.items()}
    height, width = target.shape[1:]
    columns = 1 + len(images)
    figure = Figure(figsize=(2.2 * columns, 2.2 * 2 * height / width + 0.6), layout="constrained")
    axes = figure.subplots(2, columns)
    for one in axes.flat:
        one.set_axis_off()
    axes[0, 0].imshow(np.linalg.norm(target, axis=0), cmap="gray", vmin=0, vmax=white)
    axes[0, 0].set_title("target", fontsize=9)
    axes[1, 0].imshow(example.sampling, cmap="gray", aspect="auto")
    axes[1, 0].set_title(f"sampling; errors × {ERROR_GAIN}", fontsize=9)
    for (upper, lower), (method, image) in zip(axes.T[1:], images.items(), strict=True):
        upper.imshow(np.linalg.norm(image, axis=0), cmap="gray", vmin=0, vmax=white)
        upper.set_title(f"{method}\n{psnr[method]:.2f} dB", fontsize=9)
        error = np.linalg.norm(image - target, axis=0)
        lower.imshow(error, cmap="inferno", vmin=0, vmax=white / ERROR_GAIN)
    figure.suptitle(f"{title}: {example.scan}", fontsize=10)
    figure.savefig(path, dpi=110)


def table(results: dict[str, Any]) -> str:
    """Markdown: a row per mask and method, a column per scan, complex PSNR in dB and SSIM."""
    scores = [score for result in results.values() for score in result["scores"]]
    scans = list(dict.fromkeys(score["scan"] for score in scores))
    lines = ["| mask | method | " + " | ".join(scans) + " |", "| --- " * (2 + len(scans)) + "|"]
    for mask, result in results.items():
        for method in dict.fromkeys(score["method"] for score in result["scores"]):
            own = {s["scan"]: s for s in result["scores"] if s["method"] == method}
            cells = [f"{own[n]['psnr_complex']:.2f} / {own[n]['ssim']:.3f}" for n in scans]
            lines.append(f"| {mask} | {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
