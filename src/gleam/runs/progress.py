"""Progress of a run on the user's terminal while it trains, and in its log."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gleam.terminal import Clock, console, doing, say, say_unwatched


class Display:
    """A progress bar, where somebody watches; a line at each validation and every half minute.

    Args:
        bar: not shown where nobody watches.
        log: the file that the lines go to as well.
        first: step that the run goes on from.
        steps: of the whole run.
        quiet: show nothing; the log says it all.
    """

    def __init__(self, bar: Progress, log: Path, first: int, steps: int, quiet: bool) -> None:
        self._bar, self._log, self._quiet = bar, log, quiet
        self._step, self._steps, self._losses = first, steps, ""
        self._clock = Clock(steps, first)
        self._task = bar.add_task("training", total=steps, completed=first, losses="", memory="")

    def step(self, losses: Sequence[float | None]) -> None:
        """One step is done; `losses` are those of the modules, None of one that has stopped."""
        text = " ".join("–" if loss is None else f"{loss:.3f}" for loss in losses[:8]) + (
            " …" if len(losses) > 8 else ""
        )
        self._step, self._losses = self._step + 1, f"loss {text}, "
        self._bar.update(self._task, advance=1, losses=text)

    def memory(self, peak: int) -> None:
        """Peak memory of a step, in bytes."""
        self._bar.update(self._task, memory=f"{peak / 2**20:.0f} MiB")

    def describe(self) -> str:
        """The run's progress in words."""
        left = self._clock.left(self._step)
        return f"step {self._step} of {self._steps}, {self._losses}{left}"

    def say(self, line: str) -> None:
        """A line that stays."""
        self._note(line)
        if not self._quiet:
            say(line)

    def remind(self, line: str) -> None:
        """A line for those who see no bar."""
        self._note(line)
        if not self._quiet:
            say_unwatched(line)

    def _note(self, line: str) -> None:
        # A full disk, or a folder that is gone, is met and told where the run itself writes.
        with suppress(OSError), self._log.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {line}\n")


@contextmanager
def displayed(log: Path, first: int, steps: int, quiet: bool = False) -> Iterator[Display]:
    """Show the progress of a run that goes on from step `first`, unless it is to be quiet."""
    bar = Progress(
        TextColumn("step {task.completed}/{task.total}"),
        BarColumn(bar_width=24),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("loss {task.fields[losses]}"),
        TextColumn("{task.fields[memory]}"),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )
    display = Display(bar, log, first, steps, quiet)
    with bar, doing(display.describe, display.remind):
        yield display
