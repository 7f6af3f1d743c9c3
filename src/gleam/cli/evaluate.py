"""gleam evaluate: trained runs and baselines on test examples."""

import json

from rich.console import Console

from gleam.cli.options.evaluate import Arguments
from gleam.evaluation.kept import RESULTS, Kept
from gleam.files import check_new
from gleam.report.checks import shown_checks
from gleam.report.evaluation import write_report
from gleam.report.scored import evaluated
from gleam.report.tables import fastmri_means, terminal_table, write_tables


def main(a: Arguments) -> None:
    """Run the verb."""
    assert a.data is not None
    check_new(a.out / "summary.json", a.force)
    kept = Kept(a.out / RESULTS, fresh=True)
    found = evaluated(a.runs, a.data, a.mask, a.device, a.force, kept, raw=a.raw, checks=a.check)
    write_tables(found.evaluation, a.out)
    write_report(a.out / "report.html", found.evaluation, found.runs, found.title)
    if a.json:
        print(json.dumps(json.loads((a.out / "summary.json").read_text())))
        return
    Console().print(terminal_table(found.evaluation))
    shown = shown_checks(found.evaluation)
    if shown is not None:
        print(shown["agreement"])
    for name, means in fastmri_means(found.evaluation).items():
        text = ", ".join(f"{metric.upper()} {mean:.4g}" for metric, mean in means.items())
        print(f"as fastMRI scores, {name}: {text}")
    print(f"report: {a.out / 'report.html'}")
