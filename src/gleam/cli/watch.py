"""gleam watch: a run while it trains, in the browser."""

from gleam.cli.options.watch import Arguments
from gleam.cli.pages import attend
from gleam.report.watch import answers


def main(a: Arguments) -> None:
    """Run the verb."""
    attend(answers(a.run), a.port, a.browser)
