"""gleam report: a page of runs, from what is there and what is missing."""

from gleam.cli.options.report import Arguments
from gleam.report.made import make_report


def main(a: Arguments) -> None:
    """Run the verb."""
    paths = make_report(a.runs, a.out, a.data, a.mask, a.device, a.force, a.scans)
    for path in paths:
        print(f"report: {path}")
