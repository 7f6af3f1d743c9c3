"""The neighbours of a process that trains: processes before, after and beside its modules.

A run in one process has none, `ALONE`. `gleam.parallel.pipeline` is the other kind.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from gleam.arrays import AnyTensor
from gleam.training.flow import Average
from gleam.training.states import State

Failure = tuple[str, int]


@dataclass
class Note:
    """Facts about a step, once modules have learnt from it.

    Attributes:
        last: the run ends with this step.
        failure: what is not finite, "loss" or "weight", and of which module.
        memory: bytes of the process that took most.
        losses: by module that learns.
        psnr: by iteration, in dB, where validation follows the step.
        stopped: by module that learns no more, the number of updates after which it stopped.
        done: none is left that learns, and that was validated.
    """

    last: bool = False
    failure: Failure | None = None
    memory: int = 0
    losses: dict[int, float] = field(default_factory=dict)
    psnr: dict[int, float] = field(default_factory=dict)
    stopped: dict[int, int] = field(default_factory=dict)
    done: bool = False


@runtime_checkable
class Neighbours(Protocol):
    """The other processes.

    `check_alone` of tests/parallel/test_neighbours_contract.py holds each to this where there are
    none; where there are, a run must end as in one process (tests/parallel/test_parallel.py).
    """

    @property
    def average(self) -> Average | None:
        """The function that averages gradients over replicas; see `train_step`."""

    def finish(self) -> None:
        """Wait for the averages on their way, and use them."""

    def receive(self, first: Callable[[], State]) -> State:
        """The state for the first module here; `first` makes it where no process is before."""

    def send(self, state: State, wait: bool = False) -> None:
        """Send the last module's output to the next process, and `wait` until it has left."""

    def all_reduce(self, numbers: AnyTensor) -> AnyTensor:
        """The sum over all replicas, in each of them."""

    def receive_note(self, note: Note, asked: int) -> Note:
        """Add to a note what the processes before know.

        Args:
            note: of this process.
            asked: the signal by which it was asked to stop; 0 without one.
        """

    def send_note(self, note: Note) -> None:
        """Send what is known of a step to the next process."""

    def ends(self, note: Note) -> bool:
        """Whether no step comes after this one."""

    def close(self) -> None:
        """Leave nothing on its way."""


class Alone:
    """Nobody else: training starts from the first image, and gradients are what they are."""

    average: Average | None = None

    def finish(self) -> None:
        """Nothing is on its way."""

    def receive(self, first: Callable[[], State]) -> State:
        """The first state."""
        return first()

    def send(self, state: State, wait: bool = False) -> None:
        """Nobody is after it."""

    def all_reduce(self, numbers: AnyTensor) -> AnyTensor:
        """Its own."""
        return numbers

    def receive_note(self, note: Note, asked: int) -> Note:
        """Its own note; asked to stop, it does."""
        note.last = note.last or asked > 0
        return note

    def send_note(self, note: Note) -> None:
        """Nobody is after it."""

    def ends(self, note: Note) -> bool:
        """True at the last step, or where a number is not finite."""
        return note.last or note.failure is not None

    def close(self) -> None:
        """Nothing is on its way."""


ALONE = Alone()
