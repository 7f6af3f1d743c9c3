"""`Turn`: when a module works, and where it lies then; `Stays`: always on its device."""

from typing import Protocol, runtime_checkable


@runtime_checkable  # the tests check types at run time
class Turn(Protocol):
    """The time a module works: from its forward pass to its update.

    `check_turn` of tests/training/test_idle_contract.py holds each to this.
    """

    @property
    def stays(self) -> bool:
        """Whether the module lies on its device at all times."""

    def begin(self) -> None:
        """Have the module on its device."""

    def end(self) -> None:
        """It is not wanted there until its next turn."""

    def leave(self) -> None:
        """The same, and nothing of it has changed."""

    def settle(self) -> None:
        """Wait until all modules are at home whose turn has ended: there they may be read."""


class Stays:
    """A module that lies on its device, whether it works or not."""

    stays = True

    def begin(self) -> None:
        """It is there."""

    def end(self) -> None:
        """It stays there."""

    def leave(self) -> None:
        """It stays there."""

    def settle(self) -> None:
        """They are where they always are."""


STAYS = Stays()
