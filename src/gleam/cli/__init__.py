"""The command line: `gleam VERB …`, one file per verb, and in `options` one of what it is told.

It imports every room, and nothing imports it. Begin at the verb, say `train`.
Every user's mistake ends in one line on stderr and exit code 2; what stopped before its end, or met
a full disk, in one line and exit code 1; Ctrl-C with 130 and SIGTERM with 143.
"""

import importlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import current_thread, main_thread

from gleam import threads
from gleam.errors import BadInput, Stopped, Terminated, code_of
from gleam.files import disk_is_full, unwritable
from gleam.memory import asked_for, exhausted
from gleam.terminal import Clock, doing
from gleam.trust import trusting

VERBS = {
    "demo": "the whole way on simulated data, in two minutes",
    "simulate": "write scan files of procedural anatomy",
    "inspect": "say what a file holds, and what prepare would make of it",
    "prepare": "make example files of scans: maps, target, one scale",
    "plan": "say what of a recipe fits into memory and time, before it is trained",
    "train": "train an unrolled network from a recipe",
    "adapt": "have a trained run learn from undersampled scans, without ground truth",
    "evaluate": "score trained runs and baselines, write a report",
    "compare": "train schemes at equal memory, steps or wall-clock, write a report",
    "report": "make a report of runs, without computing again what is there",
    "view": "look at images or a scan in the browser",
    "watch": "watch a run in the browser while it trains",
    "reconstruct": "reconstruct a scan with a trained run",
    "check": "say how far images of a scan can be trusted, without the truth",
    "export": "write a run's network as a folder, a .pt2 or an .onnx file",
    "serve": "reconstruct what a scanner sends, over the network",
    "cite": "print what to cite, in BibTeX",
}

SOMEWHERE = "give it less, or a machine with more"
ROOM = {  # what a verb takes less with; what it wrote stays
    "prepare": "compress to fewer --coils, or use fewer --workers",
    "inspect": "it reads the whole file: give it a machine with more",
    "reconstruct": "compress to fewer --coils, or compute on a --device with more: cpu",
    "check": "compress to fewer --coils, or compute on a --device with more: cpu",
    "adapt": "use more --modules, or compute on a --device with more: cpu",
    "evaluate": "compute on a --device with more: cpu",
    "compare": "with fewer --workers, or a smaller data.batch, the same command goes on",
}

USAGE = "\n".join(
    ["usage: gleam VERB [-h] …", "", "Greedy learning for accelerated MRI.", ""]
    + [f"  {verb:<12} {what}" for verb, what in VERBS.items()]
    + ["", "gleam VERB --help explains a verb, with an example."]
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit code."""
    # What goes wrong is said in one line of our own; PyTorch reads these when it is imported.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    threads.settle()
    for stream in (sys.stdout, sys.stderr):  # what a terminal, or a pipe, has no letter for
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    given = sys.argv[1:] if arguments is None else arguments
    verb, *rest = [_from_home(argument) for argument in given] or ["--help"]
    try:
        with _terminable(), doing(_busy(verb)):
            _run(verb, rest)
            print(end="", flush=True)  # what cannot be written is met here, not at Python's end
    except (BadInput, Stopped) as error:
        print(f"gleam: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt as error:
        print("gleam: interrupted", file=sys.stderr)
        return code_of(error)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        _forget_output()
        return 1
    except OSError as error:  # files that we write say which they are: `gleam.files.unwritable`
        print(f"gleam: {_unforeseen(error, verb)}", file=sys.stderr)
        if error.filename is None:
            _forget_output()
        return 1
    except Exception as error:
        if not exhausted(error):
            raise
        print(f"gleam: {verb}: {asked_for(error)}; {ROOM.get(verb, SOMEWHERE)}", file=sys.stderr)
        return 1
    return 0


def perform(verb: str, arguments: Sequence[str]) -> None:
    """A verb with its arguments.

    What it computes with is imported when its arguments have been read: a help text, or a mistake
    that they hold, comes at once.
    """
    given = importlib.import_module("gleam.cli.options").read(verb, arguments)
    with trusting(getattr(given, "trust", ())):
        importlib.import_module(f"gleam.cli.{verb}").main(given)


def _run(verb: str, rest: Sequence[str]) -> None:
    if verb in ("-h", "--help"):
        print(USAGE)
    elif verb == "--version":
        from gleam import __version__

        print(__version__)
    elif verb in VERBS:
        perform(verb, rest)
    else:
        from gleam.words import nearest

        raise BadInput(f"{verb}: no such verb; {nearest(verb, VERBS)}")


def _busy(verb: str) -> Callable[[], str]:
    """The line that a verb says of itself while it has nothing better to say; one process of
    several says it."""
    first, clock = os.environ.get("RANK", "0") == "0", Clock(1)
    return lambda: f"{verb}: at work, {clock.left(0)}" if first else ""


def _unforeseen(error: OSError, verb: str) -> object:
    """The error for what the system refused, reading included; what has no name, and needs room, is
    our output."""
    if error.filename is None and disk_is_full(error):
        return unwritable("standard output", error)
    return f"{error.filename or verb}: {error.strerror or error}"


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends a verb as Ctrl-C does: what it began is taken back, what it started is ended."""

    def terminate(*_: object) -> None:
        raise Terminated

    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _from_home(argument: str) -> str:
    """The argument with `~` as the folder it means, which a shell leaves as it is in
    --out=~/run."""
    option, equals, value = argument.partition("=")
    if argument.startswith("--") and value.startswith("~"):
        return option + equals + os.path.expanduser(value)
    return os.path.expanduser(argument)


def _forget_output() -> None:
    """Have Python not try again, at its end, to write what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
