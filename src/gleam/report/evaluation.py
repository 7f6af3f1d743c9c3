"""An evaluation as one HTML file."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from gleam.amounts import rounded
from gleam.evaluation.result import Evaluation
from gleam.evaluation.summary import summarise
from gleam.report import prose
from gleam.report.checks import shown_checks
from gleam.report.page import Page, write_page
from gleam.report.plots import Curve, line_plot, method_colours, thinned
from gleam.report.quality import distribution, pictured, quality
from gleam.report.training import RunSummary
from gleam.words import counted


def write_report(
    path: Path,
    evaluation: Evaluation,
    runs: Sequence[RunSummary] = (),
    title: str = "Evaluation",
    force: bool = True,
) -> list[Path]:
    """Write the report to `path`, in one go; see `gleam.report.page.write_page`."""
    return write_page(path, report(evaluation, runs, title), force)


def report(
    evaluation: Evaluation | None,
    runs: Sequence[RunSummary],
    title: str,
) -> Page:
    """Everything the page shows.

    Args:
        evaluation: scores and pictures; without them the page tells of the training alone.
        runs: how networks were trained.
        title: its heading.
    """
    methods = evaluation.methods if evaluation else []
    colours = method_colours(list(dict.fromkeys([*methods, *(run.name for run in runs)])))
    training = _training(runs, title, colours)
    if evaluation is None:
        return training
    plots = {"frames": _frames(evaluation, colours), "iterations": _iterations(evaluation, colours)}
    parts = {
        "scores": quality(evaluation),
        "checks": shown_checks(evaluation),
        "methods": methods,
        "missing": _scans(evaluation) - len(evaluation.pictures),
    }
    return replace(
        training,
        extent=_extent(evaluation),
        sentences=[*prose.outcome(summarise(evaluation.scans)), *training.sentences],
        scans=pictured(evaluation),
        device=evaluation.device,
        plots=training.plots | {name: plot for name, plot in plots.items() if plot is not None},
        tests=[distribution("", evaluation)],
        parts=training.parts | parts,
    )


def _training(runs: Sequence[RunSummary], title: str, colours: dict[str, str]) -> Page:
    """The page of runs that were not scored."""
    plots = {"validation": _validation(runs, colours)}
    plots |= {f"losses-{k}": _losses(run) for k, run in enumerate(runs) if run.losses}
    peaks = [(run.name, run.peak_bytes) for run in runs if run.peak_bytes]
    return Page(
        template="report.html",
        title=title,
        extent=[counted(len(runs), "run")],
        sentences=[prose.memory(peaks)] if len(peaks) > 1 else [],
        colours=colours,
        plots={name: plot for name, plot in plots.items() if plot is not None},
        parts={
            "scores": None,
            "checks": None,
            "methods": [],
            "missing": 0,
            "runs": _runs(runs),
            "losses": [(f"losses-{k}", run.name) for k, run in enumerate(runs) if run.losses],
        },
    )


def _scans(evaluation: Evaluation) -> int:
    return len(evaluation.scans) // len(evaluation.methods)


def _extent(evaluation: Evaluation) -> list[str]:
    slices, scans = len(evaluation.slices) // len(evaluation.methods), _scans(evaluation)
    phrases = [counted(scans, "scan")]
    phrases += [counted(slices, "slice")] if slices > scans else []
    return [*phrases, counted(len(evaluation.methods), "method")]


def _iterations(evaluation: Evaluation, colours: dict[str, str]) -> dict[str, Any] | None:
    """PSNR after each iteration, where a method has more than one."""
    if max(map(len, evaluation.iterations.values())) < 2:
        return None
    curves = [
        Curve(name, range(1, len(psnr) + 1), psnr) for name, psnr in evaluation.iterations.items()
    ]
    return line_plot(
        curves,
        colours,
        xlabel="iteration",
        ylabel="complex PSNR per slice (dB)",
    )


def _frames(evaluation: Evaluation, colours: dict[str, str]) -> dict[str, Any] | None:
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
        colours,
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
            "seconds": rounded(run.seconds_per_step, 3) if run.seconds_per_step else None,
            "seconds_share": 100 * (run.seconds_per_step or 0) / (slowest or 1),
        }
        for run in runs
    ]


def _losses(run: RunSummary) -> dict[str, Any]:
    curves = [thinned(curve) for curve in run.losses]
    return line_plot(curves, None, xlabel="step", ylabel="training loss", logarithmic=True)


def _validation(runs: Sequence[RunSummary], colours: dict[str, str]) -> dict[str, Any] | None:
    curves = [replace(run.validation, name=run.name) for run in runs if run.validation is not None]
    if not curves:
        return None
    return line_plot(curves, colours, xlabel="step", ylabel="complex PSNR (dB)")
