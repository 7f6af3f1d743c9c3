"""An evaluation as one HTML file that needs nothing else: no network, no script, no other file."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from gleam.errors import BadInput
from gleam.evaluation import prose
from gleam.evaluation.evaluate import Evaluation
from gleam.evaluation.pictures import colour_bar, common_gain, picture
from gleam.evaluation.plots import Curve, line_plot, method_colours, module_colours, thinned
from gleam.evaluation.scores import METRICS
from gleam.evaluation.statistics import CONFIDENCE
from gleam.evaluation.summary import Summary, summarise
from gleam.evaluation.tables import seconds, shown
from gleam.files import replacing


@dataclass(frozen=True)
class RunSummary:
    """How a network was trained.

    Attributes:
        name: that of the method, where the run is one of the methods evaluated.
        scheme: "greedy, 8 modules of 2 iterations", in words.
        parameters: number of trainable parameters.
        peak_bytes: largest memory in use during a training step; None when not measured.
        seconds_per_step: median; None when not measured.
        losses: training loss over steps, a curve per module.
        validation: complex PSNR (dB) over steps.
    """

    name: str
    scheme: str
    parameters: int
    peak_bytes: int | None = None
    seconds_per_step: float | None = None
    losses: tuple[Curve, ...] = ()
    validation: Curve | None = None


def check_libraries() -> None:
    """Say early that a report cannot be written.

    Raises:
        BadInput: matplotlib or jinja2 is not installed.
    """
    for name in ("jinja2", "matplotlib"):
        if find_spec(name) is None:
            raise BadInput(
                f"the report needs {name}; install it with: pip install 'gleam-mri[report]'"
            )


def write_report(
    path: Path, evaluation: Evaluation, runs: Sequence[RunSummary] = (), title: str = "Evaluation"
) -> None:
    """Write the report to `path`, in one go.

    All text that comes from elsewhere (names of methods, scans, runs) is escaped.

    Raises:
        BadInput: matplotlib or jinja2 is not installed; the file cannot be written.
    """
    check_libraries()
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = files("gleam.evaluation").joinpath("report.html").read_text(encoding="utf-8")
    page = environment.from_string(template).render(_content(evaluation, runs, title))
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _content(evaluation: Evaluation, runs: Sequence[RunSummary], title: str) -> dict[str, Any]:
    """Everything the template shows."""
    methods = evaluation.methods
    per_scan, per_slice = summarise(evaluation.scans), summarise(evaluation.slices)
    colours = method_colours(list(dict.fromkeys([*methods, *(run.name for run in runs)])))
    gain = common_gain(evaluation.examples)
    scans, slices = (
        len(scores) // len(methods) for scores in (evaluation.scans, evaluation.slices)
    )
    sentences = prose.outcome(per_scan)
    peaks = [(run.name, run.peak_bytes) for run in runs if run.peak_bytes]
    if len(peaks) > 1:
        sentences.append(prose.memory(peaks))
    return {
        "title": title,
        "extent": [prose.count(scans, "scan")]
        + ([prose.count(slices, "slice")] if slices > scans else [])
        + [prose.count(len(methods), "method")],
        "sentences": sentences,
        "confidence": f"{CONFIDENCE:.0%}",
        "scans": scans,
        "methods": methods,
        "metrics": METRICS,
        "colours": colours,
        "tables": [("Per scan, each whole volume at once", _means(per_scan, evaluation))]
        + ([("Per slice", _means(per_slice, evaluation))] if slices > scans else []),
        "best": per_scan.best("psnr_complex"),
        "differences": _differences(per_scan),
        "examples": [picture(example, gain) for example in evaluation.examples],
        "gain": gain,
        "colour_bar": colour_bar(),
        "iterations": _iterations(evaluation, colours),
        "runs": _runs(runs),
        "losses": [_losses(run) for run in runs if run.losses],
        "validation": _validation(runs, colours),
        "environment": _environment(),
    }


def _means(summary: Summary, evaluation: Evaluation) -> list[dict[str, Any]]:
    best = {metric: summary.best(metric) for metric in METRICS}
    return [
        {
            "name": method,
            "cells": [
                (*shown(own[key], metric), best[key] == method and len(summary.means) > 1)
                for key, metric in METRICS.items()
            ],
            "seconds": seconds(evaluation.seconds[method]),
        }
        for method, own in summary.means.items()
    ]


def _differences(summary: Summary) -> list[dict[str, Any]]:
    """Each other method minus the best; whether the interval leaves out zero."""
    best = summary.best("psnr_complex")
    rows = []
    for method in summary.means:
        if method == best:
            continue
        gaps = {key: summary.difference(method, best, key) for key in METRICS}
        cells = [
            (*shown(gaps[key], metric, "+"), gaps[key].low > 0 or gaps[key].high < 0)
            for key, metric in METRICS.items()
        ]
        rows.append({"name": method, "cells": cells})
    return rows


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


def _runs(runs: Sequence[RunSummary]) -> list[dict[str, Any]]:
    """Rows with bars as shares of the largest."""
    most = max((run.peak_bytes or 0 for run in runs), default=0)
    slowest = max((run.seconds_per_step or 0 for run in runs), default=0)
    return [
        {
            "name": run.name,
            "scheme": run.scheme,
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


def _environment() -> list[tuple[str, str]]:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU only"
    return [
        ("GLEAM", version("gleam-mri")),
        ("Python", platform.python_version()),
        ("PyTorch", torch.__version__),
        ("NumPy", version("numpy")),
        ("System", f"{platform.system()} {platform.machine()}"),
        ("Accelerator", device),
    ]
