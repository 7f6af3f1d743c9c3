"""Preparing many scans: in parallel, resumable, and none stops the rest."""

import hashlib
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch

from gleam import __version__
from gleam.data.example import ExampleFile, is_example, write
from gleam.data.prepare import Prepared, Settings
from gleam.errors import BadInput
from gleam.formats import SCAN_SUFFIXES, read_scan


@dataclass(frozen=True)
class Outcome:
    """What became of one scan: prepared now, kept from before, or skipped and why."""

    source: Path
    status: Literal["prepared", "kept", "skipped"]
    reason: str = ""


def find_scans(inputs: Sequence[Path]) -> list[Path]:
    """The scan files in folders (not below them), and files as given.

    Raises:
        BadInput: a path that does not exist, a folder without scans, or two scans of one name.
    """
    found: list[Path] = []
    for path in inputs:
        if path.is_dir():
            visible = (p for p in path.iterdir() if not p.name.startswith("."))
            inside = sorted(p for p in visible if p.suffix in SCAN_SUFFIXES)
            if not inside:
                raise BadInput(f"{path}: holds no scan (known are {', '.join(SCAN_SUFFIXES)})")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise BadInput(f"{path}: does not exist; give scan files or folders of them")
    found = list(dict.fromkeys(p.with_suffix(".cfl") if p.suffix == ".hdr" else p for p in found))
    names: dict[str, Path] = {}
    for path in found:
        other = names.setdefault(path.stem, path)
        if other != path:
            raise BadInput(
                f"{path}: would overwrite the example of {other}, which has the same name; "
                "prepare them into different folders"
            )
    return found


def prepare(
    sources: Sequence[Path], out: Path, settings: Settings, workers: int = 1
) -> Iterator[Outcome]:
    """Prepare each scan into `out`/NAME.h5, in whatever order they finish.

    What was prepared before from the same file with the same settings is kept.
    """
    if workers == 1:
        for source in sources:
            yield prepare_one(source, out, settings)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, torch.set_num_threads, (1,)) as pool:
        jobs = [pool.submit(prepare_one, source, out, settings) for source in sources]
        for job in as_completed(jobs):
            try:
                yield job.result()
            except BrokenProcessPool as error:
                raise BadInput(
                    f"{out}: a worker was killed, most likely for want of memory; run the same "
                    "command again with fewer --workers, what is done is kept"
                ) from error


def prepare_one(source: Path, out: Path, settings: Settings) -> Outcome:
    """Prepare one scan; what is wrong with it becomes the outcome's reason."""
    goal = out / f"{source.stem}.h5"
    try:
        fingerprint = _fingerprint(source, settings)
        if goal.exists():
            if not is_example(goal):
                raise BadInput(f"{goal}: is there and is no example file; give another folder")
            if _prepared_before(goal, fingerprint):
                return Outcome(source, "kept")
        write(Prepared(read_scan(source), settings, fingerprint), goal)
    except BadInput as error:
        return Outcome(source, "skipped", str(error))
    except MemoryError:
        return Outcome(source, "skipped", f"{source}: too large for the memory there is")
    except (RuntimeError, OSError) as error:  # torch's failed allocations and factorisations, too
        what = str(error).partition("\n")[0]
        return Outcome(source, "skipped", f"{source}: cannot be prepared ({what})")
    return Outcome(source, "prepared")


def _prepared_before(goal: Path, fingerprint: str) -> bool:
    try:
        return ExampleFile(goal).header.fingerprint == fingerprint
    except BadInput:
        return False


def _fingerprint(source: Path, settings: Settings) -> str:
    """Changes with the file (or BART's pair), the settings, and the version of this program."""
    header = source.with_suffix(".hdr")
    try:
        stats = [file.stat() for file in (source, header) if file == source or file.exists()]
    except OSError as error:
        raise BadInput(f"{source}: cannot be read ({error.strerror})") from error
    facts: list[object] = [__version__, source.name, asdict(settings)]
    facts += [(stat.st_size, stat.st_mtime_ns) for stat in stats]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
