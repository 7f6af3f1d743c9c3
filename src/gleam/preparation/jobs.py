"""Preparing many scans: in parallel, resumable, and none stops the rest."""

import hashlib
import json
import os
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

from gleam.data.example import Example, ExampleFile, is_example, write
from gleam.data.header import VERSION
from gleam.errors import BadInput, Stopped
from gleam.files import check_exists, check_new, sha256_of
from gleam.formats import SCAN_SUFFIXES, is_scan_file, read_scans, scan_file
from gleam.formats.parts import named
from gleam.memory import exhausted
from gleam.preparation.prepare import Prepared, Settings
from gleam.workers import map_in_processes

Status = Literal["prepared", "reconstructed", "kept", "skipped"]

MADE_OTHERWISE = "is there already, made of another file, with other settings or by another version"


@dataclass(frozen=True)
class Outcome:
    """The outcome of one scan.

    Attributes:
        source: its file.
        status: prepared or reconstructed now, kept from before, or skipped.
        reason: why it was skipped, in one line; names files without their folders.
        shape: of its example, (slice, coil, frame, *space); or image, (slice, frame, *space).
        sha256: of the file's content; of BART's pair, the .cfl's.
        warnings: of its example, see `gleam.data.example.Header`.
        part: which scan of its file it is; empty where that holds one.
        fingerprint: of an image: as long as it is the same, so would be the image.
    """

    source: Path
    status: Status
    reason: str | None = None
    shape: tuple[int, ...] | None = None
    sha256: str | None = None
    warnings: tuple[str, ...] = ()
    part: str = ""
    fingerprint: str = ""


def find_scans(inputs: Sequence[Path]) -> list[Path]:
    """The scan files in folders (not below them), and files as given.

    Raises:
        BadInput: a path that does not exist, a folder without scans, or two scans of one name.
    """
    found: list[Path] = []
    for path in map(scan_file, inputs):
        if path.is_dir():
            inside = sorted(filter(is_scan_file, path.iterdir()))
            if not inside:
                raise BadInput(f"{path}: holds no scan (known are {', '.join(SCAN_SUFFIXES)})")
            found += inside
        else:
            check_exists(path, "give scan files or folders of them")
            found.append(path)
    found = list(dict.fromkeys(found))
    names: dict[str, Path] = {}
    for path in found:
        other = names.setdefault(path.stem, path)
        if other != path:
            raise BadInput(
                f"{path}: would overwrite what is made of {other}, which has the same name; "
                "write them into different folders"
            )
    return found


def prepare(
    sources: Sequence[Path],
    out: Path,
    settings: Settings,
    workers: int = 1,
    memory: int | None = None,
    force: bool = False,
) -> Iterator[Outcome]:
    """Prepare each scan, see `prepare_one`, in whatever order they finish.

    What was prepared before from the same file with the same settings is kept; what was prepared
    otherwise is not replaced unless that is said.

    Args:
        sources: scan files, no two of one name.
        out: a folder that is there.
        settings: for all of them.
        workers: processes, each with one scan at a time.
        memory: bytes that a worker may take (see `gleam.workers`); a scan that needs more is
            skipped. By default, equal shares of the machine's memory.
        force: see `prepare_one`.

    Raises:
        Stopped: see `prepare_one`.
    """
    job = partial(prepare_one, out=out, settings=settings, force=force)
    return chain.from_iterable(map_in_processes(job, sources, workers, memory, _lost))


def prepare_one(source: Path, out: Path, settings: Settings, force: bool = False) -> list[Outcome]:
    """Prepare what one file holds; what is wrong with it becomes the outcome's reason.

    An only scan becomes `out`/NAME.h5, each of several `out`/NAME-PART.h5.

    Args:
        source: the file.
        out: folder of the examples.
        settings: how to prepare it.
        force: replace an example that is there and was made otherwise.

    Raises:
        Stopped: the disk is full, or the folder is gone; other scans would fare no better.
    """

    def skipped(error: Exception, part: str = "") -> Outcome:
        return Outcome(
            source, "skipped", reason(error, source, out, settings), None, sha256, part=part
        )

    sha256 = None
    try:
        mark = fingerprint(source, settings)
        kept = _kept(source, "", out, mark, force)
        if kept is not None:
            return [kept]
        sha256 = sha256_of(source)
        scans = read_scans(source, settings.layout, settings.measurement)
    except Stopped:
        raise
    except Exception as error:  # whatever a file does to a reader must not stop the rest
        return [skipped(error)]
    outcomes = []
    for part, scan in scans.items():
        try:
            outcome = _kept(source, part, out, mark, force)
            if outcome is None:
                example = Prepared(scan(), settings, mark, sha256)
                write(example, out / f"{named(source.stem, part)}.h5")
                outcome = _done(source, "prepared", example, part)
        except Stopped:  # a full disk: it would do the same to the rest
            raise
        except Exception as error:
            outcome = skipped(error, part)
        outcomes.append(outcome)
    return outcomes


def _kept(source: Path, part: str, out: Path, fingerprint: str, force: bool) -> Outcome | None:
    """The outcome of a scan that was prepared before from the same file in the same way, if it was.

    Raises:
        BadInput: something else is there, and is not to be replaced.
    """
    goal = out / f"{named(source.stem, part)}.h5"
    if not goal.exists():
        return None
    if not is_example(goal):
        raise BadInput(f"{goal}: is there and is no example file; give another folder")
    before = _prepared_before(goal, fingerprint)
    if before is not None:
        return _done(source, "kept", before, part)
    check_new(goal, force, MADE_OTHERWISE, "give another folder")
    return None


def _done(source: Path, status: Status, example: Example, part: str) -> Outcome:
    header = example.header
    return Outcome(source, status, None, example.shape, header.sha256, header.warnings, part)


ROOM = (
    "needs more memory than it may take; compress to fewer --coils, or let gleam prepare take more "
    "by --memory or fewer --workers"
)


def reason(error: Exception, source: Path, out: Path, settings: Settings, room: str = ROOM) -> str:
    """The reason why a scan was skipped, in one line that names files without their folders."""
    text = (room if exhausted(error) else _reason(error)).removeprefix(f"{source}: ")
    for folder in {file.parent for file in (source, out / "any", *settings.beside)}:
        text = text.replace(f"{folder}{os.sep}", "")
    return text


def _reason(error: Exception) -> str:
    if isinstance(error, BadInput):
        return str(error)
    # Not what the error says: that may quote the file, and so a patient's name.
    *_, place = traceback.extract_tb(error.__traceback__)
    where = f"{Path(place.filename).name}, line {place.lineno}"
    return f"cannot be used ({type(error).__name__} in {where})"


def _lost(source: Path, cause: str) -> list[Outcome]:
    """The outcome of a file whose worker died."""
    advice = "the file is most likely damaged"
    if cause == "SIGKILL":
        advice = "most likely the machine had no memory left: use fewer --workers, or --memory"
    return [Outcome(source, "skipped", f"its worker died of {cause}; {advice}")]


def _prepared_before(goal: Path, fingerprint: str) -> ExampleFile | None:
    try:
        example = ExampleFile(goal)
    except BadInput:
        return None
    return example if example.header.fingerprint == fingerprint else None


def fingerprint(source: Path, settings: Settings, *others: object) -> str:
    """Changes with the file (or BART's pair), the settings, others, and the version of preparation.

    Raises:
        BadInput: the file cannot be read.
    """
    files = [source, *settings.beside]
    headers = [file.with_suffix(".hdr") for file in files]
    try:
        stats = [file.stat() for file in (*files, *(h for h in headers if h.exists()))]
    except OSError as error:
        raise BadInput(f"{error.filename}: cannot be read ({error.strerror})") from error
    text = asdict(settings)
    if settings.noise is None:
        del text["noise"]  # examples from before it could be given are kept
    facts: list[object] = [VERSION, source.name, text, *others]
    facts += [(stat.st_size, stat.st_mtime_ns) for stat in stats]
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()
