"""What the user sees of a run while it trains: one line of progress, losses, time left, memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gleam.terminal import console


class Display:
    """A progress bar; quiet where nobody watches, but for a line at each validation."""

    def __init__(self, bar: Progress, first: int, steps: int) -> None:
        self._bar = bar
        self._task = bar.add_task("training", total=steps, completed=first, losses="", memory="")

    def step(self, losses: Sequence[float]) -> None:
        """One step is done; `losses` are those of the modules."""
        shown = " ".join(f"{loss:.3f}" for loss in losses[:8]) + (" …" if len(losses) > 8 else "")
        self._bar.update(self._task, advance=1, losses=shown)

    def memory(self, peak: int) -> None:
        """Peak memory of a step, in bytes."""
        self._bar.update(self._task, memory=f"{peak / 2**20:.0f} MiB")

    def say(self, line: str) -> None:
        """A line that stays."""
        self._bar.console.print(line, highlight=False)


@contextmanager
def shown(first: int, steps: int, quiet: bool = False) -> Iterator[Display]:
    """Show the progress of a run that goes on from step `first`, unless it is to be quiet."""
    bar = Progress(
        TextColumn("step {task.completed}/{task.total}"),
        BarColumn(bar_width=24),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("loss {task.fields[losses]}"),
        TextColumn("{task.fields[memory]}"),
        console=Console(quiet=True) if quiet else console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        yield Display(bar, first, steps)
