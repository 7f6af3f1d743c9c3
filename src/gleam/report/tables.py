"""An evaluation as files (CSV and JSON) and as a table in the terminal."""

import csv
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from gleam.amounts import rounded
from gleam.evaluation.agreement import agreement
from gleam.evaluation.fastmri import FastmriScore
from gleam.evaluation.result import Evaluation
from gleam.evaluation.scores import METRICS, FrameScore, Metric, Score
from gleam.evaluation.statistics import CONFIDENCE, Estimate
from gleam.evaluation.summary import Summary, summarise
from gleam.files import replacing, write_json
from gleam.report.checks import check_means


def tables(folder: Path) -> list[Path]:
    """The files that `write_tables` may write into a folder."""
    names = ("summary.json", "metrics.csv", "scans.csv", "frames.csv", "fastmri.csv")
    return [folder / name for name in names]


def write_tables(evaluation: Evaluation, folder: Path) -> None:
    """Write `metrics.csv`, `scans.csv` and `summary.json` into `folder`, each in one go.

    `metrics.csv` has a row per method and slice, `scans.csv` one per method and scan (the whole
    volume at once); of series, `frames.csv` has one per method, slice and frame. `fastmri.csv` has
    a row per method and scan that was compared as fastMRI does. `summary.json` has the means of the
    first two, their intervals and the paired differences; a number that is not defined is null
    there and `nan` in the CSV files.

    Raises:
        BadInput: the folder cannot be written to.
    """
    write_scores(folder / "metrics.csv", evaluation.slices)
    write_scores(folder / "scans.csv", evaluation.scans)
    if evaluation.frames:
        write_scores(folder / "frames.csv", evaluation.frames)
    if evaluation.fastmri:
        write_scores(folder / "fastmri.csv", evaluation.fastmri)
    summary = {
        "scans": len({score.scan for score in evaluation.scans}),
        "slices": len(evaluation.slices) // len(evaluation.methods),
        "confidence": CONFIDENCE,
        "per_scan": _plain(summarise(evaluation.scans)),
        "per_slice": _plain(summarise(evaluation.slices)),
        "psnr_complex_after_iteration": evaluation.iterations,
        "seconds_per_slice": evaluation.seconds,
        "fastmri": fastmri_means(evaluation),
    }
    if evaluation.checks:
        found = agreement(evaluation.scans, evaluation.checks)
        means = check_means(evaluation.checks)
        summary["check"] = {"pairs": found.pairs, "right": found.right, "error": means}
    write_json(folder / "summary.json", summary)


def fastmri_means(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """Method → metric → mean over scans, as fastMRI says it."""
    return {
        method: {
            metric: statistics.fmean(getattr(s, metric) for s in scores)
            for metric in ("mse", "nmse", "psnr", "ssim")
        }
        for method in evaluation.methods
        if (scores := [score for score in evaluation.fastmri if score.method == method])
    }


def terminal_table(evaluation: Evaluation) -> Table:
    """Means per scan, ± half their interval, the best of each metric in bold; for rich to print."""
    summary = summarise(evaluation.scans)
    scans = len({score.scan for score in evaluation.scans})
    table = Table(
        title=f"Mean over {scans} scans (whole volumes), ± half the {CONFIDENCE:.0%} interval",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    table.add_column("method", overflow="fold")
    for metric in METRICS.values():
        table.add_column(metric.label.replace(", ", "\n"), justify="right")
    table.add_column("seconds\nper slice", justify="right")
    for method in evaluation.methods:
        cells = []
        for key, metric in METRICS.items():
            estimate = summary.means[method][key]
            style = "bold" if summary.best(key) == method else ""
            half = (estimate.high - estimate.low) / 2
            spread = "" if math.isnan(half) else f"± {half:.{metric.digits}f}"
            cells.append(
                Text.assemble((f"{estimate.mean:.{metric.digits}f}", style), "\n", (spread, "dim"))
            )
        table.add_row(Text(method), *cells, seconds(evaluation.seconds[method]))
    return table


def formatted(estimate: Estimate, metric: Metric, sign: str = "") -> tuple[str, str]:
    """("31.42", "30.90 to 31.95"), the latter "" where there is none; `sign` "+" shows a plus."""
    mean, low, high = (
        f"{value:{sign}.{metric.digits}f}".replace("-", "−")
        for value in (estimate.mean, estimate.low, estimate.high)
    )
    return mean, "" if math.isnan(estimate.low) else f"{low} to {high}"


def seconds(time: float) -> str:
    """Two digits that count; what is too fast to time says so."""
    return rounded(time) if time >= 1e-3 else "< 0.001"


def write_scores(
    goal: Path, scores: Sequence[Score] | Sequence[FrameScore] | Sequence[FastmriScore]
) -> None:
    """Write a row per score, at least one; those of whole scans have no column `slice`.

    Raises:
        BadInput: the file cannot be written.
    """
    whole = all(getattr(score, "slice", None) is None for score in scores)
    columns = [f.name for f in fields(scores[0]) if not (whole and f.name == "slice")]
    with replacing(goal) as path, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([getattr(score, column) for column in columns] for score in scores)


def _plain(summary: Summary) -> dict[str, Any]:
    return {
        "means": {
            method: {metric: asdict(estimate) for metric, estimate in own.items()}
            for method, own in summary.means.items()
        },
        "differences": [
            {"method": a, "minus": b} | {metric: asdict(e) for metric, e in own.items()}
            for (a, b), own in summary.differences.items()
        ],
    }
