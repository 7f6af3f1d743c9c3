"""A comparison as one HTML file."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from gleam.comparison.compare import Comparison, Result
from gleam.evaluation.result import Evaluation
from gleam.evaluation.scores import METRICS
from gleam.evaluation.summary import Summary, summarise
from gleam.report import prose
from gleam.report.comparison_tables import costs
from gleam.report.page import Page, write_page
from gleam.report.plots import Curve, line_plot, method_colours
from gleam.report.quality import distribution, pictured, quality
from gleam.report.tables import formatted
from gleam.report.training import describe, validation_curve
from gleam.words import counted


def write_report(path: Path, comparison: Comparison) -> list[Path]:
    """Write the report to `path`, in one go; see `gleam.report.page.write_page`."""
    return write_page(path, report(comparison))


def report(comparison: Comparison) -> Page:
    """Everything the page shows."""
    results, plan = comparison.results, comparison.plan
    scores = {test: s.evaluation for test, s in comparison.scores.items()}
    means = {test: summarise(evaluation.scans) for test, evaluation in scores.items()}
    methods = list(next(iter(scores.values())).methods)
    names = [result.name for result in results]
    colours = method_colours([*names, *(name for name in methods if name not in names)])
    sentences = []
    for test, summary in means.items():
        sentences += [f"On {test}:", *prose.outcome(summary)[:2]]
    curves = _curves(results, colours)
    several = len(scores) > 1
    return Page(
        template="comparison.html",
        title="Comparison of training schemes",
        extent=[
            counted(len(results), "scheme"),
            counted(plan.compare.seeds, "seed"),
            counted(len(scores), "test set"),
        ],
        sentences=sentences,
        colours=colours,
        scans=[shown for test, e in scores.items() for shown in pictured(e, test * several)],
        device=next(iter(scores.values())).device,
        plots={} if curves is None else {"time": curves},
        tests=[distribution(test, evaluation) for test, evaluation in scores.items()],
        parts={
            "against": plan.against,
            "rows": [
                _row(result, comparison, means) | _shares(result, results) for result in results
            ],
            "tests": [(test, quality(evaluation)) for test, evaluation in scores.items()],
            "missing": sum(_missing(evaluation) for evaluation in scores.values()),
            "failed": [(result.name, reason) for result in results for reason in result.failed],
        },
    )


def _shares(result: Result, results: Sequence[Result]) -> dict[str, float]:
    """Shares of the largest memory and the longest step, in percent; 0 where there is none."""
    entries = [one.entry for one in results if one.entry is not None]
    if result.entry is None:
        return {"memory_share": 0.0, "time_share": 0.0}
    most = max(entry.cost.memory for entry in entries)
    longest = max(entry.ratio for entry in entries)
    return {
        "memory_share": 100 * result.entry.cost.memory / (most or 1),
        "time_share": 100 * result.entry.ratio / (longest or 1),
    }


def _missing(evaluation: Evaluation) -> int:
    """Number of scans that have no pictures."""
    return len(evaluation.scans) // len(evaluation.methods) - len(evaluation.pictures)


def _row(result: Result, comparison: Comparison, means: dict[str, Summary]) -> dict[str, Any]:
    """Cost, and on each test set quality and its difference to the scheme compared against."""
    metric, against = METRICS["psnr_complex"], comparison.plan.against
    cells = []
    for test, summary in means.items():
        if not result.runs:
            cells.append({"mean": "–", "spread": "", "gap": "", "interval": "", "sure": True})
            continue
        own = summary.means[result.name]["psnr_complex"]
        by_seed = comparison.scores[test].seeds[result.name]
        cell = {"mean": f"{own.mean:.2f}", "gap": "", "interval": "", "sure": True}
        several = len(by_seed) > 1
        cell["spread"] = f"seeds {min(by_seed):.2f} to {max(by_seed):.2f}" if several else "1 seed"
        if result.name != against and against in summary.means:
            gap = summary.difference(result.name, against, "psnr_complex")
            cell["gap"], cell["interval"] = formatted(gap, metric, "+")
            cell["sure"] = gap.sure
        cells.append(cell)
    memory, time, steps, rate = costs(result)
    return {
        "name": result.name,
        "scheme": describe(result.recipe),
        "memory": memory,
        "time": time,
        "steps": steps,
        "rate": rate,
        "cells": cells,
    }


def _curves(results: Sequence[Result], colours: dict[str, str]) -> dict[str, Any] | None:
    """Validation PSNR over time, where there was validation."""
    curves = [curve for curve in map(_curve, results) if curve is not None]
    if not curves:
        return None
    ylabel = "complex PSNR on validation (dB)"
    return line_plot(curves, colours, xlabel="seconds of training", ylabel=ylabel)


def _curve(result: Result) -> Curve | None:
    """Validation PSNR over the time that its steps take, the mean over seeds."""
    curves = [validation_curve(j.folder, result.name, result.recipe) for j in result.runs]
    if result.entry is None or not curves or not curves[0].x:
        return None
    seconds = [step * result.entry.seconds for step in curves[0].x]
    psnr = [fmean(values) for values in zip(*(curve.y for curve in curves), strict=True)]
    return Curve(result.name, seconds, psnr)
