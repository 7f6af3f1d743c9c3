"""The errors a user can cause or meet: each is one line that says what, where and what to do."""


class BadInput(Exception):
    """Something the user gave cannot be used: a file, a field, a value. Exit code 2."""


class Stopped(Exception):
    """A run stopped before its end and kept what it had. Exit code 1."""


class Diverged(Stopped):
    """A run stopped because a loss or a weight was not finite: going on would not help."""
