"""Spoilt files, thousands of them: each is read or refused in one line, soon, in little memory.

Mutant n of a kind is made from (kind, n) alone. A child makes and reads them one after the other,
its memory bounded; the parent ends it when one takes too long, and starts another after the mutant
that a child died of. Children are forked from a server that has imported the libraries.
`python tests/formats/fuzz.py KIND FOLDER N` does mutant N again, and leaves its file in
FOLDER/spoilt.
"""

import os
import resource
import sys
import tempfile
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from gleam.processes import PROCESSES, cause_of_death

SECONDS = 60  # for one mutant; sound files take milliseconds
START = 600  # seconds for a child to begin, which on a busy machine is most of it
MEMORY = 2**28  # bytes for one mutant; sound files have some kilobytes
ERRORS = "errors"  # a file in a child's folder: what it wrote to its outputs
PLACE = "/dev/shm" if os.path.isdir("/dev/shm") else None  # in memory: a disk takes half the time


@dataclass
class Report:
    """How many mutants were read and refused; and what went wrong, by mutant."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: dict[int, str] = field(default_factory=dict)


def fuzz(kind: str, first: int, stop: int) -> Report:
    """Do mutants `first` to `stop` − 1 in children."""
    report, done = Report(), first
    while done < stop:
        with tempfile.TemporaryDirectory(dir=PLACE) as folder:
            ours, theirs = PROCESSES.Pipe(duplex=False)
            job = (theirs, kind, Path(folder), done, stop)
            child = PROCESSES.Process(target=_child, args=job, daemon=True)
            child.start()
            theirs.close()
            said = _said(ours)
            ready = next(said, None)
            for outcome, what in said:
                report.counts[outcome] += 1
                if what:
                    report.wrong[done] = what
                done += 1
            child.kill()
            if done < stop:
                how = cause_of_death(child)
                how = "took too long" if how == "SIGKILL" else f"died ({how})"
                how = f"{how}: {(Path(folder) / ERRORS).read_text(errors='replace')}"
                if ready is None:
                    raise RuntimeError(how)
                report.counts["wrong"] += 1
                report.wrong[done] = how
                done += 1
    return report


def _said(pipe: Connection) -> Iterator[tuple[str, str]]:
    """What the child says, until it ends or says nothing for too long."""
    patience = START
    with suppress(EOFError):
        while pipe.poll(patience):
            patience = SECONDS
            outcome, _, what = pipe.recv().partition(": ")
            yield outcome, what


def _child(pipe: Connection, kind: str, folder: Path, first: int, stop: int) -> None:
    """Say what `work` says; what libraries print goes to a file."""
    errors = os.open(folder / ERRORS, os.O_CREAT | os.O_WRONLY)
    os.dup2(errors, 1)
    os.dup2(errors, 2)
    for said in work(kind, folder, first, stop):
        pipe.send(said)


def work(kind: str, folder: Path, first: int, stop: int) -> Iterator[str]:
    """Do mutants here; say "ready", then of each: read, refused, or wrong and why."""
    from seeds import KINDS

    chosen = KINDS[kind]
    sound, spoilt = folder / "sound", folder / "spoilt"
    sound.mkdir(parents=True)
    spoilt.mkdir()
    seeds = chosen.make(sound)
    for path in seeds:
        chosen.read(path)
    contents = {path: path.read_bytes() for path in sorted(sound.iterdir())}
    warnings.simplefilter("error")  # from here on; the ismrmrd package sets filters of its own
    _bound_memory()
    yield "ready"
    for number in range(first, stop):
        rng = np.random.default_rng([zlib.crc32(kind.encode()), number])
        seed = seeds[rng.integers(len(seeds))]
        for path, content in contents.items():
            if path.stem == seed.stem:  # a pair has one stem
                (spoilt / path.name).write_bytes(content)
        chosen.spoil(spoilt / seed.name, rng)
        yield _outcome(chosen.read, spoilt / seed.name)


def _outcome(read: Callable[[Path], object], path: Path) -> str:
    from gleam.errors import BadInput

    try:
        read(path)
    except BadInput as error:
        return f"wrong: several lines: {error!r}" if "\n" in str(error) else "refused"
    except Exception:
        return f"wrong: {traceback.format_exc()!r}"
    return "read"


def _bound_memory() -> None:
    status = Path("/proc/self/status").read_text()
    used = int(status.partition("VmData:")[2].split()[0]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (used + MEMORY, used + MEMORY))


if __name__ == "__main__":
    kind, place, number = sys.argv[1:]
    for said in work(kind, Path(place), int(number), int(number) + 1):
        print(said)
