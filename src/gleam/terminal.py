"""Progress on the terminal: on stderr, so that stdout holds results alone.

Where somebody watches, in a bar; else in a line whenever nothing was said for half a minute, so
that a log shows that work goes on, and how long it will.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

T = TypeVar("T")

EVERY = 30.0  # seconds of silence, at most

console = Console(stderr=True)


def warn(name: str, warnings: Iterable[str]) -> None:
    """Say each on a line of its own, as `Scan.warnings` has them."""
    for warning in warnings:
        print(f"gleam: warning: {name}: {warning}", file=sys.stderr)


def say(line: str) -> None:
    """A line that stays, whole, whoever watches."""
    _heard()
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def say_unwatched(line: str) -> None:
    """A line, where no bar shows the same."""
    if not console.is_terminal:
        say(line)


@contextmanager
def doing(
    describe: Callable[[], str], tell: Callable[[str], None] = say_unwatched
) -> Iterator[None]:
    """Have it said what is being done, as often as `EVERY` asks for.

    Work within work speaks for both.

    Args:
        describe: how far it has come; an empty text is not said.
        tell: says it; called in a thread.
    """
    mine, over = (describe, tell), Event()
    thread = None if _going_on else Thread(target=_remind, args=(over,), daemon=True)
    _going_on.append(mine)
    if thread is not None:
        _heard()
        thread.start()
    try:
        yield
    finally:  # in any order: what an error broke off may end only when the error is forgotten
        if thread is not None:
            over.set()
            thread.join()
        _going_on.remove(mine)


@contextmanager
def silence() -> Iterator[None]:
    """Have nothing said while another process, or nobody, has something to say."""
    with doing(str):
        yield


_going_on: list[tuple[Callable[[], str], Callable[[str], None]]] = []
_last = 0.0  # when anything was said


def _heard() -> None:
    global _last
    _last = time.monotonic()


def _remind(over: Event) -> None:
    while not over.wait(max(0.0, _last + EVERY - time.monotonic())):
        if time.monotonic() >= _last + EVERY:
            _heard()
            describe, tell = _going_on[-1]
            if line := describe():
                tell(line)


def followed(work: Iterable[T], what: str, total: int) -> Iterator[T]:
    """The same items, while it is shown how many of them are done."""
    with counted(what, total) as done:
        for number, item in enumerate(work, 1):
            yield item
            done(number)


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far work has come, and how long it will take.

    Args:
        what: is being done, "preparing" say.
        total: of its parts.

    Yields:
        Takes how many are done.
    """
    done, clock = 0, Clock(total)

    def describe() -> str:
        return f"{what}: {done} of {total}, {clock.left(done)}"

    with (
        Progress(console=console, transient=True, disable=not console.is_terminal) as bar,
        doing(describe),
    ):
        task = bar.add_task(what, total=total)

        def update(number: int) -> None:
            nonlocal done
            done = number
            bar.update(task, completed=done)

        yield update


class Clock:
    """Tells how long work will still take that goes on as it has so far.

    Args:
        total: of its parts.
        first: how many were done when it began.
    """

    def __init__(self, total: int, first: int = 0) -> None:
        self._began, self._total, self._first = time.monotonic(), total, first

    def left(self, done: int) -> str:
        """Time left in words, of so many parts; how long it has taken, while none is done."""
        taken = time.monotonic() - self._began
        if done <= self._first:
            return f"after {duration(taken)}"
        return f"{duration(taken / (done - self._first) * (self._total - done))} left"


def duration(seconds: float) -> str:
    """A duration in words, as coarse as it is long: 40 s, 12 min, 3 h 20 min."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
