"""Signals that ask a program to stop, heard where it can: between two steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stop_signals() -> Iterator[Callable[[], int]]:
    """SIGINT and SIGTERM ask for a stop after the step; a second one does not ask.

    In another thread than the main one, which alone hears signals, nobody asks.

    Yields:
        Says which of them came, 0 if none did.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return
    asked = 0

    def ask(number: int, _: object) -> None:
        nonlocal asked
        asked = number
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
