"""The command line: `gleam VERB …`, one file per verb.

Every user's mistake ends in one line on stderr and exit code 2; a run that stopped before its end
in one line and exit code 1.
"""

import importlib
import os
import sys
from collections.abc import Sequence

from gleam.errors import BadInput, Stopped

VERBS = {
    "demo": "the whole way on simulated data, in three minutes",
    "simulate": "write scan files of procedural anatomy",
    "inspect": "say what a file holds, and what prepare would make of it",
    "prepare": "make example files of scans: maps, target, one scale",
    "train": "train an unrolled network from a recipe",
    "evaluate": "score trained runs and baselines, write a report",
    "compare": "train schemes at equal memory, steps or wall-clock, write a report",
    "reconstruct": "reconstruct a scan with a trained run",
    "serve": "reconstruct what a scanner sends, over the network",
}

USAGE = "\n".join(
    ["usage: gleam VERB [-h] …", "", "Greedy learning for accelerated MRI.", ""]
    + [f"  {verb:<12} {what}" for verb, what in VERBS.items()]
    + ["", "gleam VERB --help explains a verb, with an example."]
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit code."""
    # What goes wrong is said in one line of our own; PyTorch reads this when it is imported.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    verb, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if verb in ("-h", "--help"):
        print(USAGE)
        return 0
    if verb == "--version":
        from gleam import __version__

        print(__version__)
        return 0
    try:
        if verb not in VERBS:
            from gleam.words import nearest

            raise BadInput(f"{verb}: no such verb; {nearest(verb, VERBS)}")
        importlib.import_module(f"gleam.cli.{verb}").main(rest)
    except (BadInput, Stopped) as error:
        print(f"gleam: {error}", file=sys.stderr)
        return 2 if isinstance(error, BadInput) else 1
    except KeyboardInterrupt:
        print("gleam: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0
