"""Files that are written of runs into a folder: an evaluation, or a report from what is there and
what is missing."""

from collections.abc import Sequence
from pathlib import Path

from gleam.errors import BadInput
from gleam.evaluation.kept import RESULTS, Kept
from gleam.files import check_new, make_folder
from gleam.recipe import MaskRecipe
from gleam.report.checks import FILE as CHECKS
from gleam.report.evaluation import report, write_report
from gleam.report.page import check_libraries, write_page
from gleam.report.scored import Evaluated, evaluated, names_of
from gleam.report.tables import tables, write_tables
from gleam.report.training import RunSummary, summary_of
from gleam.runs import folder as run_folder
from gleam.runs.run import Run

FILE = "report.html"


def make_evaluation(
    runs: Sequence[Path],
    data: Path,
    out: Path,
    mask: MaskRecipe,
    device: str,
    force: bool = False,
    raw: Path | None = None,
    checks: bool = False,
) -> Evaluated:
    """Score runs anew, and write tables and report.html into a folder.

    Args:
        out: the folder.
        runs, data, mask, device, force, raw, checks: see `gleam.report.scored.evaluated`.

    Raises:
        BadInput: an evaluation or a run is there already; or see `evaluated`.
    """
    _check_no_run(out)
    others = [*tables(out), *([out / CHECKS] if checks else [])]
    check_new(out / FILE, force, beside=others)
    kept = Kept(out / RESULTS, fresh=True)
    found = evaluated(runs, data, mask, device, force, kept, raw=raw, checks=checks)
    write_tables(found.evaluation, out)
    write_report(out / FILE, found.evaluation, found.runs, found.title, force)
    return found


def make_report(
    runs: Sequence[Path],
    out: Path,
    data: Path | None,
    mask: MaskRecipe,
    device: str,
    force: bool = False,
    scans: Sequence[str] = (),
) -> list[Path]:
    """Write report.html into a folder, and further pages where it takes several.

    Args:
        runs: their folders.
        out: the folder, in which results are kept.
        data: examples to score on; None tells of the training alone.
        mask, device, scans: see `gleam.report.scored.evaluated`.
        force: replace a report; and see there.

    Raises:
        BadInput: a report is there already, or tables would go into a run; or see `evaluated`.
    """
    goal = out / FILE
    if data is not None:
        _check_no_run(out)
    check_new(goal, force, beside=[] if data is None else tables(out))
    check_libraries()
    if data is None:
        page = report(None, _trained(runs), "Training")
        make_folder(out)
    else:
        kept = Kept(out / RESULTS)
        found = evaluated(runs, data, mask, device, force, kept, scans=scans)
        page = report(found.evaluation, found.runs, found.title)
        write_tables(found.evaluation, out)
    return write_page(goal, page, force)


def _check_no_run(out: Path) -> None:
    if run_folder.is_there(out):
        raise BadInput(f"{out}: is a run; give the results another folder with --out")


def _trained(runs: Sequence[Path]) -> list[RunSummary]:
    names = names_of(runs)
    return [summary_of(folder, names[folder], Run(folder).recipe) for folder in runs]
