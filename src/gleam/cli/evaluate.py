"""gleam evaluate: trained runs and baselines on test examples."""

import json

from rich.console import Console

from gleam.cli.options.evaluate import Arguments
from gleam.report.checks import shown_checks
from gleam.report.made import FILE, make_evaluation
from gleam.report.tables import fastmri_means, terminal_table


def main(a: Arguments) -> None:
    """Run the verb."""
    assert a.data is not None
    found = make_evaluation(a.runs, a.data, a.out, a.mask, a.device, a.force, a.raw, a.check)
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
    print(f"report: {a.out / FILE}")
