"""Pages made of templates: one HTML file that needs nothing else and no network.

The one script there may be, where there are movies, is in the page; it is the only one that the
page allows.
"""

import base64
import hashlib
import platform
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from gleam.errors import BadInput
from gleam.evaluation.evaluate import Evaluation
from gleam.evaluation.scores import METRICS
from gleam.evaluation.statistics import CONFIDENCE
from gleam.evaluation.summary import Summary, summarise
from gleam.files import replacing
from gleam.report.pictures import colour_bar, common_gain, picture
from gleam.report.tables import seconds, shown
from gleam.words import not_installed

COLUMNS = 6  # of pictures, at most


def check_libraries() -> None:
    """Say early that a report cannot be written.

    Raises:
        BadInput: matplotlib or jinja2 is not installed.
    """
    for name in ("jinja2", "matplotlib"):
        if find_spec(name) is None:
            raise BadInput(f"the report {not_installed(name, 'report')}")


def write_page(path: Path, template: str, content: dict[str, Any]) -> None:
    """Write a page to `path`, in one go.

    All text that comes from elsewhere (names of methods, scans, runs) is escaped.

    Args:
        path: of the page.
        template: its name among this package's templates.
        content: what it shows; `movies` says whether something is to be played, `device` what the
            images were computed on.

    Raises:
        BadInput: the file cannot be written.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("gleam.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made_with = _environment(content["device"])
    every = {"metrics": METRICS, "confidence": f"{CONFIDENCE:.0%}", "environment": made_with}
    script = (files("gleam.report") / "templates" / "player.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    player = {"script": script, "script_hash": digest}
    page = environment.get_template(template).render(every | player | content)
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


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


def columns(methods: Sequence[str]) -> int:
    """Of pictures: the target, and one for each method."""
    return min(len(methods) + 1, COLUMNS)


def pictures(evaluation: Evaluation) -> dict[str, Any]:
    """Images and error maps of the examples."""
    gain = common_gain(evaluation.examples)
    drawn = [picture(example, gain) for example in evaluation.examples]
    return {
        "examples": drawn,
        "movies": any(example.frames > 1 for example in drawn),
        "gain": gain,
        "colour_bar": colour_bar(),
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


def _environment(device: str) -> list[tuple[str, str]]:
    return [
        ("GLEAM", version("gleam-mri")),
        ("Python", platform.python_version()),
        ("PyTorch", torch.__version__),
        ("NumPy", version("numpy")),
        ("System", f"{platform.system()} {platform.machine()}"),
        ("Computed on", device),
    ]
