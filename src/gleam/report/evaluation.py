"""An evaluation as one HTML file."""

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from gleam.evaluation.evaluate import Evaluation
from gleam.evaluation.summary import summarise
from gleam.report import prose
from gleam.report.page import check_libraries, columns, pictures, quality, write_page
from gleam.report.plots import Curve, line_plot, method_colours, module_colours, thinned
from gleam.report.training import RunSummary


def write_report(
    path: Path, evaluation: Evaluation, runs: Sequence[RunSummary] = (), title: str = "Evaluation"
) -> None:
    """Write the report to `path`, in one go.

    Raises:
        BadInput: matplotlib or jinja2 is not installed; the file cannot be written.
    """
    check_libraries()
    write_page(path, "report.html", _content(evaluation, runs, title))


def _content(evaluation: Evaluation, runs: Sequence[RunSummary], title: str) -> dict[str, Any]:
    """Everything the template shows."""
    methods = evaluation.methods
    colours = method_colours(list(dict.fromkeys([*methods, *(run.name for run in runs)])))
    scans, slices = (
        len(scores) // len(methods) for scores in (evaluation.scans, evaluation.slices)
    )
    sentences = prose.outcome(summarise(evaluation.scans))
    peaks = [(run.name, run.peak_bytes) for run in runs if run.peak_bytes]
    if len(peaks) > 1:
        sentences.append(prose.memory(peaks))
    shown = pictures(evaluation)
    return {
        "title": title,
        "extent": [prose.count(scans, "scan")]
        + ([prose.count(slices, "slice")] if slices > scans else [])
        + [prose.count(len(methods), "method")],
        "sentences": sentences,
        "methods": methods,
        "colours": colours,
        "columns": columns(methods),
        "scores": quality(evaluation),
        "shown": shown,
        "movies": shown["movies"],
        "device": evaluation.device,
        "frames": _frames(evaluation, colours),
        "iterations": _iterations(evaluation, colours),
        "runs": _runs(runs),
        "losses": [_losses(run) for run in runs if run.losses],
        "validation": _validation(runs, colours),
    }


def _iterations(evaluation: Evaluation, colours: dict[str, str]) -> str | None:
    """PSNR after each iteration, where a method has more than one."""
    if max(map(len, evaluation.iterations.values())) < 2:
        return None
    curves = [
        Curve(name, range(1, len(psnr) + 1), psnr) for name, psnr in evaluation.iterations.items()
    ]
    return line_plot(
        curves,
        [colours[curve.name] for curve in curves],
        xlabel="iteration",
        ylabel="complex PSNR per slice (dB)",
    )


def _frames(evaluation: Evaluation, colours: dict[str, str]) -> str | None:
    """PSNR over the frames, where there are several."""
    if not evaluation.frames:
        return None
    curves = []
    for name in evaluation.methods:
        by_frame: dict[int, list[float]] = defaultdict(list)
        for score in evaluation.frames:
            if score.method == name and not math.isnan(score.psnr):
                by_frame[score.frame].append(score.psnr)
        curves.append(Curve(name, list(by_frame), [fmean(psnr) for psnr in by_frame.values()]))
    return line_plot(
        curves,
        [colours[curve.name] for curve in curves],
        xlabel="frame",
        ylabel="complex PSNR per frame (dB)",
    )


def _runs(runs: Sequence[RunSummary]) -> list[dict[str, Any]]:
    """Rows with bars as shares of the largest."""
    most = max((run.peak_bytes or 0 for run in runs), default=0)
    slowest = max((run.seconds_per_step or 0 for run in runs), default=0)
    return [
        {
            "name": run.name,
            "scheme": run.scheme,
            "pace": run.pace,
            "parameters": f"{run.parameters:,}".replace(",", "\u202f"),
            "memory": prose.size(run.peak_bytes) if run.peak_bytes else None,
            "memory_share": 100 * (run.peak_bytes or 0) / (most or 1),
            "seconds": f"{run.seconds_per_step:.3g}" if run.seconds_per_step else None,
            "seconds_share": 100 * (run.seconds_per_step or 0) / (slowest or 1),
        }
        for run in runs
    ]


def _losses(run: RunSummary) -> dict[str, Any]:
    colours = module_colours(len(run.losses))
    plot = line_plot(
        [thinned(curve) for curve in run.losses],
        colours,
        xlabel="step",
        ylabel="loss",
        size=(5.2, 3.1),
        logarithmic=True,
    )
    names = [curve.name for curve in run.losses]
    return {"name": run.name, "plot": plot, "legend": list(zip(names, colours, strict=True))}


def _validation(runs: Sequence[RunSummary], colours: dict[str, str]) -> dict[str, Any] | None:
    curves = [(run.name, run.validation) for run in runs if run.validation is not None]
    if not curves:
        return None
    plot = line_plot(
        [curve for _, curve in curves],
        [colours[name] for name, _ in curves],
        xlabel="step",
        ylabel="complex PSNR (dB)",
    )
    return {"plot": plot, "names": [name for name, _ in curves]}
