"""The study's tables, figures and keys, from what `gleam compare` left.

    gleam compare recipes/study/modl.yaml --out study/modl --workers 2
    gleam compare recipes/study/pgd.yaml --out study/pgd --workers 2
    python -m benchmarks.study --modl study/modl --pgd study/pgd

writes benchmarks/results/study.md, the keys `quality.…` into benchmarks/results/latest.json, and
two pictures into docs/images.
"""

import argparse
import json
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from benchmarks.measure import Figures, hardware, keep, show
from gleam.comparison.plan import slug
from gleam.files import replacing
from gleam.report.training import validation_curve
from gleam.runs.folder import load_recipe

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "study.md"
PICTURES = HERE.parent / "docs" / "images"
SETS = ("simulated", "real brains")
GREEDY = "greedy, 16 iterations"
CHECKPOINT = "checkpoint, 16 iterations"
SMALLER = ("shallow, equal steps", "narrow, equal steps")  # of equal memory
SMALLER_AS_LONG = ("shallow", "narrow")
SHOWN = (GREEDY, CHECKPOINT, "shallow", "narrow", "reversible, 16 iterations")  # over time

Summary = dict[str, Any]


def table(summary: Summary) -> str:
    """In Markdown: a row per scheme, with what it costs, and PSNR (difference) by test set."""
    head = ["scheme", "memory", "time per step", "steps", "rate", "seeds"]
    scores = summary["scores"]
    head += [f"{test}: PSNR, SSIM, difference" for test in scores]
    lines = [head, ["---"] * len(head)]
    for name, one in summary["schemes"].items():
        cells = [
            name,
            f"{one['memory_bytes'] / 2**20:.1f} MiB",
            f"{one['time_per_step_ratio']:.2f}",
        ]
        cells += [str(one["steps"]), f"{one['learning_rate']:g}", str(one["seeds"])]
        cells += [_score(own.get(name)) for own in scores.values()]
        lines.append(cells)
    first = next(iter(scores.values()))
    others = [name for name in first if name not in summary["schemes"]]
    for name in others:
        cells = [name, *["–"] * 5, *(_score(own[name]) for own in scores.values())]
        lines.append(cells)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _score(score: Summary | None) -> str:
    if score is None:
        return "diverged"
    text = f"{score['psnr_complex']['mean']:.2f}, {score['ssim']['mean']:.3f}"
    if "minus_against" not in score:
        return text
    gap = score["minus_against"]["psnr_complex"]
    interval = "" if gap["low"] is None else f" [{gap['low']:+.2f}, {gap['high']:+.2f}]"
    return f"{text}, {gap['mean']:+.2f}{interval}"


def psnr(summary: Summary, test: str, name: str) -> float:
    """Mean complex PSNR in dB."""
    value: float = summary["scores"][test][name]["psnr_complex"]["mean"]
    return value


def keys(modl: Summary, pgd: Summary) -> Figures:
    """The figures asked for, on each test set."""

    def gap(summary: Summary, one: str, others: tuple[str, ...], test: str) -> float:
        return psnr(summary, test, one) - max(psnr(summary, test, other) for other in others)

    pairs = {
        "greedy8_minus_end_to_end_equal_depth": (
            modl, "greedy, 8 iterations", ("end-to-end, 8 iterations",),
        ),
        "greedy_minus_checkpoint_equal_memory_equal_time": (modl, GREEDY, (CHECKPOINT,)),
        "greedy_minus_end_to_end_equal_memory_2d": (modl, GREEDY, SMALLER),
        "greedy_minus_end_to_end_equal_memory_equal_time_2d": (modl, GREEDY, SMALLER_AS_LONG),
        "greedy_minus_end_to_end_equal_activations_2d": (
            modl, GREEDY, ("end-to-end, 2 iterations",),
        ),
        "pgd_greedy8_minus_end_to_end": (pgd, "greedy", ("end-to-end",)),
        "pgd_greedy8_shown_minus_end_to_end": (
            pgd, "greedy, shown gradient and change", ("end-to-end",),
        ),
        "pgd_greedy4x2_shown_minus_end_to_end": (
            pgd, "greedy, 4 modules of 2, shown gradient and change", ("end-to-end",),
        ),
    }  # fmt: skip
    figures: Figures = {}
    for name, (summary, one, others) in pairs.items():
        for test, suffix in zip(SETS, ("", "_real_brains"), strict=True):
            figures[f"quality.{name}{suffix}_db"] = {
                "value": round(gap(summary, one, others, test), 2),
                "unit": "dB",
                "command": "python -m benchmarks.study --modl study/modl --pgd study/pgd",
                "hardware": hardware(),
            }
    return figures


def over_time(folder: Path, summary: Summary, path: Path) -> None:
    """Validation PSNR over training time, the mean over seeds."""
    from matplotlib.figure import Figure

    plot = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = plot.subplots()
    for name in SHOWN:
        one = summary["schemes"][name]
        runs = sorted((folder / "runs" / slug(name)).iterdir())
        curves = [validation_curve(run, name, load_recipe(run)) for run in runs]
        x = [step * one["seconds_per_step"] for step in curves[0].x]
        y = [fmean(values) for values in zip(*(c.y for c in curves), strict=True)]
        axes.plot(x, y, marker="o", markersize=3, label=name)
    axes.set(xlabel="seconds of training, one core", ylabel="PSNR on validation (dB)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    plot.savefig(path, dpi=130)


def over_memory(summary: Summary, path: Path) -> None:
    """PSNR on simulated test scans against the memory of training; equal time, or equal steps."""
    from matplotlib.figure import Figure

    plot = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = plot.subplots()
    kinds = {"greedy": "C0", "checkpoint": "C1", "reversible": "C2", "end-to-end": "C3"}
    for name, one in summary["schemes"].items():
        if name not in summary["scores"][SETS[0]] or "shown" in name:
            continue
        kind = next((k for k in kinds if name.startswith(k)), "end-to-end")
        equal_time = one["budget"] == "time" or name == GREEDY
        x, y = one["memory_bytes"] / 2**20, psnr(summary, SETS[0], name)
        face = kinds[kind] if equal_time else "white"
        axes.scatter(x, y, color=face, edgecolors=kinds[kind], zorder=3)
        depth, width = one["iterations"], one["width"]
        label = f"{depth}" + (f", width {width}" if width != 32 else "")
        axes.annotate(label, (x, y), xytext=(5, -3), textcoords="offset points", fontsize=7)
    for kind, colour in kinds.items():
        axes.scatter([], [], color=colour, label=kind)
    axes.scatter([], [], color="white", edgecolors="grey", label="equal steps, not time")
    axes.set(xlabel="memory of training (MiB)", ylabel="PSNR, simulated test (dB)", xscale="log")
    axes.set_xticks([4, 8, 16, 24], ["4", "8", "16", "24"])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    plot.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--modl", type=Path, required=True, help="folder of the comparison")
    parser.add_argument("--pgd", type=Path, required=True, help="folder of the comparison")
    a = parser.parse_args()
    torch.set_num_threads(1)  # as the networks were trained
    modl, pgd = (json.loads((f / "summary.json").read_text()) for f in (a.modl, a.pgd))
    with replacing(RESULTS) as temporary:
        temporary.write_text(f"# MoDL\n\n{table(modl)}\n\n# PGD\n\n{table(pgd)}\n")
    figures = keys(modl, pgd)
    show(figures)
    keep(figures)
    over_time(a.modl, modl, PICTURES / "study-time.png")
    over_memory(modl, PICTURES / "study-memory.png")


if __name__ == "__main__":
    main()
