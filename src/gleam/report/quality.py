"""The part of a page on image quality: tables, the plot of all scores, and pictures."""

from typing import Any

from gleam.evaluation.result import Evaluation
from gleam.evaluation.scores import METRICS
from gleam.evaluation.summary import Summary, summarise
from gleam.files import finite
from gleam.report.scans import Shown
from gleam.report.tables import formatted, seconds


def quality(evaluation: Evaluation) -> dict[str, Any]:
    """Tables of means, and of differences to the best method."""
    methods = len(evaluation.methods)
    scans, slices = len(evaluation.scans) // methods, len(evaluation.slices) // methods
    per_scan = summarise(evaluation.scans)
    tables = [("Per scan, each whole volume at once", _means(per_scan, evaluation))]
    if slices > scans:
        tables.append(("Per slice", _means(summarise(evaluation.slices), evaluation)))
    return {
        "scans": scans,
        "tables": tables,
        "best": per_scan.best("psnr_complex"),
        "differences": _differences(per_scan),
    }


def distribution(name: str, evaluation: Evaluation) -> dict[str, Any]:
    """Scores of every scan and their means, for the plot of a test set.

    Args:
        name: of the test set; empty where there is one.
        evaluation: its scores.
    """
    summary = summarise(evaluation.scans)
    means = {
        method: {key: [finite(e.mean), finite(e.low), finite(e.high)] for key, e in own.items()}
        for method, own in summary.means.items()
    }
    scores = [
        {"scan": one.scan, "method": one.method} | {key: finite(one[key]) for key in METRICS}
        for one in evaluation.scans
    ]
    return {"name": name, "means": means, "scores": scores}


def pictured(evaluation: Evaluation, group: str = "") -> list[Shown]:
    """The scans of an evaluation that have pictures, with their scores."""
    return [
        Shown(
            scan,
            group,
            [score for score in evaluation.slices if score.scan == scan.scan],
            [score for score in evaluation.frames if score.scan == scan.scan],
        )
        for scan in evaluation.pictures
    ]


def _means(summary: Summary, evaluation: Evaluation) -> list[dict[str, Any]]:
    best = {metric: summary.best(metric) for metric in METRICS}
    return [
        {
            "name": method,
            "cells": [
                (*formatted(own[key], metric), best[key] == method and len(summary.means) > 1)
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
            (*formatted(gaps[key], metric, "+"), gaps[key].sure) for key, metric in METRICS.items()
        ]
        rows.append({"name": method, "cells": cells})
    return rows
