"""The errors a user can cause or meet: each is one line that says what, where and what to do."""


class BadInput(Exception):
    """Something the user gave cannot be used: a file, a field, a value. Exit code 2.

    >>> gleam.load("nowhere.h5")
    Traceback (most recent call last):
    gleam.errors.BadInput: nowhere.h5: no such file
    """

    code = 2


class Stopped(Exception):
    """A run stopped before its end and kept what it had. Exit code 1.

    Kinds of it, in `gleam.errors`, are `Diverged`, `OutOfMemory`, `Unwritable` (a full disk) and
    `Signalled` (Ctrl-C, or the interrupt of a notebook's kernel).

    >>> try:
    ...     gleam.train("recipe.yaml", "runs/wild", quiet=True, training={"learning_rate": 1e30})
    ... except gleam.Stopped as stopped:
    ...     type(stopped), stopped.code
    (<class 'gleam.errors.Diverged'>, 1)
    """

    code = 1


class Diverged(Stopped):
    """A run stopped because a loss or a weight was not finite: going on would not help."""


class OutOfMemory(Stopped):
    """There was no memory left, on a device or in the machine."""


class Unwritable(Stopped):
    """Something could not be written: the disk is full, or its folder is gone.

    Attributes:
        advice: what is to be done about it.
        go_on: what is to be done then; the last words of the line.
    """

    advice = "make room there or choose another place"
    go_on = "then run the same command again"

    def __str__(self) -> str:
        return f"{super().__str__()}; {self.advice}, {self.go_on}"


class Signalled(Stopped):
    """A signal asked for a stop, and what there was has been kept. Exit code 130 or 143.

    Args:
        message: what the user is told.
        number: of the signal.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message, number)
        self.code = 128 + number

    def __str__(self) -> str:
        return str(self.args[0])


class Terminated(KeyboardInterrupt):
    """SIGTERM came where nothing is left to be kept; it ends a program as Ctrl-C does."""

    code = 143


def code_of(error: BadInput | Stopped | KeyboardInterrupt) -> int:
    """The exit code of a program that ends by an error: 130 by Ctrl-C."""
    return 130 if type(error) is KeyboardInterrupt else getattr(error, "code", 1)
