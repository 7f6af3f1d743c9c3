"""What becomes of a process when another one is gone, or does not answer."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from gleam.memory import exhausted

T = TypeVar("T")

STORE = "the launcher or process 0"  # whichever holds the store


class Lost(Exception):
    """Another process is gone, or does not answer.

    Attributes:
        who: ranks, one of which it is; or another process, in words.
        late: whether it may still be there, and does not answer in time.
        when: it was lost, in words.
    """

    def __init__(self, who: Sequence[int] | str, late: bool = False) -> None:
        self.who, self.late, self.when = who, late, "before the first step"

    def __str__(self) -> str:
        who = self.who
        if not isinstance(who, str):
            who = f"process {' or '.join(map(str, who))} (counted from 0)"
        return f"{who} {'did not answer in time' if self.late else 'was lost'} {self.when}"


def survived(work: Callable[[], T], who: Sequence[int] | str) -> T:
    """Do something together with other processes.

    Raises:
        Lost: one of them (`who`, see `Lost`) is gone, or does not answer in time.
    """
    try:
        return work()
    except RuntimeError as error:
        if exhausted(error):  # here, not there
            raise
        said = str(error).lower()
        raise Lost(who, late="timed out" in said or "timeout" in said) from error
