"""A comparison as files (JSON and CSV) and as a table in the terminal."""

from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from gleam.comparison.compare import Comparison, Result
from gleam.evaluation.statistics import CONFIDENCE
from gleam.evaluation.summary import summarise
from gleam.files import finite, write_json
from gleam.networks import build
from gleam.report.prose import size
from gleam.report.tables import write_scores
from gleam.report.training import describe

SHOWN = ("psnr_complex", "ssim")  # of the metrics


def summary(comparison: Comparison) -> dict[str, Any]:
    """Everything but the scores of single scans, as JSON knows it; what is not defined is null."""
    return {
        "against": comparison.plan.against,
        "confidence": CONFIDENCE,
        "schemes": {result.name: _costs(result, comparison) for result in comparison.results},
        "scores": {test: _scores(comparison, test) for test in comparison.scores},
    }


def write_tables(comparison: Comparison, folder: Path) -> None:
    """Write `summary.json`, and `scores-TEST.csv` with a row per method and scan.

    Raises:
        BadInput: the folder cannot be written to.
    """
    for test, scores in comparison.scores.items():
        write_scores(folder / f"scores-{test}.csv", scores.evaluation.scans)
    write_json(folder / "summary.json", summary(comparison))


def terminal_table(comparison: Comparison) -> Table:
    """A row per scheme, for rich to print; below a PSNR its difference to that compared against."""
    title = f"Time per step, and differences: to {comparison.plan.against}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("scheme", min_width=12, overflow="fold")
    for heading in ("memory", "time", "steps"):
        table.add_column(heading, justify="right", no_wrap=True)
    for test in comparison.scores:
        table.add_column(f"PSNR (dB)\n{test}", justify="right")
    summaries = [summarise(scores.evaluation.scans) for scores in comparison.scores.values()]
    against = comparison.plan.against
    for result in comparison.results:
        *cells, _ = costs(result)
        for means in summaries:
            if not result.runs:
                cells.append("–")
                continue
            cell = f"{means.means[result.name]['psnr_complex'].mean:.2f}"
            if result.name != against and against in means.means:
                cell += f"\n{means.difference(result.name, against, 'psnr_complex').mean:+.2f}"
            cells.append(cell)
        table.add_row(Text(result.name), *cells)
    return table


def costs(result: Result) -> list[str]:
    """Memory, time per step over that of the scheme compared against, steps, learning rate."""
    if result.entry is None:
        return ["does not fit", "–", "–", "–"]
    t = result.recipe.training
    return [
        size(result.entry.cost.memory),
        f"{result.entry.ratio:.2f}",
        f"{t.steps} + {t.polish}" if t.polish else str(t.steps),
        f"{t.learning_rate:g}",
    ]


def _costs(result: Result, comparison: Comparison) -> dict[str, Any]:
    recipe, entry = result.recipe, result.entry
    values: dict[str, Any] = {
        "scheme": describe(recipe),
        "budget": comparison.plan.compare.schemes[result.name].budget,
        "iterations": recipe.network.iterations,
        "width": recipe.network.width,
        "modules": len(recipe.module_sizes()),
        "steps": recipe.training.steps,
        "polish": recipe.training.polish,
        "learning_rate": recipe.training.learning_rate,
        "validation_psnr_by_learning_rate": {f"{r:g}": v for r, v in result.trials.items()},
        "seeds": len(result.runs),
        "failed": result.failed,
        "fits": entry is not None,
    }
    if entry is not None:
        values |= {
            "parameters": sum(p.numel() for p in build(recipe.network).parameters()),
            "memory_bytes": entry.cost.memory,
            "step_memory_bytes": entry.cost.step,
            "time_per_step_ratio": entry.ratio,
            "seconds_per_step": entry.seconds,
        }
    known: dict[str, Any] = finite(values)
    return known


def _scores(comparison: Comparison, test: str) -> dict[str, Any]:
    scores, against = comparison.scores[test], comparison.plan.against
    means = summarise(scores.evaluation.scans)
    rows = {}
    for method, own in means.means.items():
        row: dict[str, Any] = {metric: vars(own[metric]) for metric in SHOWN}
        if method in scores.seeds:
            row["psnr_complex_by_seed"] = scores.seeds[method]
        if method != against and against in means.means:
            gaps = {metric: vars(means.difference(method, against, metric)) for metric in SHOWN}
            row["minus_against"] = gaps
        rows[method] = row
    known: dict[str, Any] = finite(rows)
    return known
