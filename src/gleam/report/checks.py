"""Findings of checks without the truth, beside what the truth says."""

from pathlib import Path
from statistics import fmean
from typing import Any

from gleam.evaluation.agreement import LEAST, agreement
from gleam.evaluation.result import Evaluation
from gleam.reconstruction.checked import Check, read

FILE = "check.json"


def shown_checks(evaluation: Evaluation) -> dict[str, Any] | None:
    """The part of a page on checks; None where none was made.

    Returns:
        agreement: a sentence, of check and PSNR.
        verdicts: (scan, verdict) of each scan.
        rows: (method, error, times what noise gives, whether it is ranked): means over scans, as
            texts; the second empty where noise is unknown.
    """
    if not evaluation.checks:
        return None
    found = agreement(evaluation.scans, evaluation.checks)
    if found.pairs:
        sentence = (
            f"Of {found.pairs} pairs of methods on a scan that are {LEAST} dB or more apart, the "
            f"check without the truth puts {found.right} in the same order as complex PSNR."
        )
    else:
        sentence = f"No two methods are {LEAST} dB or more apart on a scan that was checked."
    return {
        "agreement": sentence,
        "verdicts": [(check.scan, check.verdict) for check in evaluation.checks],
        "rows": [_row(method, evaluation.checks) for method in evaluation.methods],
    }


def kept_checks(folder: Path, evaluation: Evaluation) -> list[Check]:
    """Checks in the folder's check.json that are of the evaluation's scans and all of its methods.

    Raises:
        BadInput: it is broken.
    """
    if not (folder / FILE).is_file():
        return []
    scans, methods = {score.scan for score in evaluation.scans}, {*evaluation.methods}
    return [
        check
        for check in read(folder / FILE)
        if check.scan in scans and methods <= {one.method for one in check.methods}
    ]


def check_means(checks: list[Check]) -> dict[str, float]:
    """Method → mean error of prediction over scans."""
    methods = [one.method for one in checks[0].methods] if checks else []
    return {name: fmean(check[name].error.value for check in checks) for name in methods}


def _row(method: str, checks: list[Check]) -> tuple[str, str, str, bool]:
    found = [check[method] for check in checks]
    over = [one.against_noise for one in found if one.against_noise is not None]
    return (
        method,
        f"{fmean(one.error.value for one in found):.3f}",
        f"{fmean(over):.2f}" if over else "",
        not any(one.learnt for one in found),
    )
