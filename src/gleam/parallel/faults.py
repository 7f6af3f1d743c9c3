"""Errors of a process whose peers are gone, or do not answer."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from gleam.memory import exhausted

T = TypeVar("T")

STORE = "the launcher or process 0"  # whichever holds the store


class Lost(Exception):
    """Another process is gone, or does not answer.

    Attributes:
        peers: ranks, one of which it is; or another process, in words.
        late: it may still be there, and does not answer in time.
        when: it was lost, in words.
    """

    def __init__(self, peers: Sequence[int] | str, late: bool = False) -> None:
        self.peers, self.late, self.when = peers, late, "before the first step"

    def __str__(self) -> str:
        peers = self.peers
        if not isinstance(peers, str):
            peers = f"process {' or '.join(map(str, peers))} (counted from 0)"
        return f"{peers} {'did not answer in time' if self.late else 'was lost'} {self.when}"


def with_peers(work: Callable[[], T], peers: Sequence[int] | str) -> T:
    """Do something together with other processes.

    Raises:
        Lost: one of them (`peers`, see `Lost`) is gone, or does not answer in time.
    """
    try:
        return work()
    except RuntimeError as error:
        if exhausted(error):  # here, not there
            raise
        reason = str(error).lower()
        raise Lost(peers, late="timed out" in reason or "timeout" in reason) from error
