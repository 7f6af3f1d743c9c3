"""Which one-line faults would nobody notice? `make mutants`; see `--help`.

Each fault is put into a copy of the tree, and the tests of the module run there: first the file
that mirrors it, then those of its room that name it. If all pass it has survived: either it changes
nothing that matters, or a test is missing. With --wide more tests have their say.

Own code, as mutmut and cosmic-ray know neither faults of one's own nor which tests to run first.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

import pytest
from changes import is_another_program, mutations
from faults import FAULTS, Fault

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("training", "evaluation", "report", "physics", "runs", "parallel", "reconstruction")
COPIED = ("src", "tests", "benchmarks", "examples", "docs", "pyproject.toml", "README.md")
FORK = multiprocessing.get_context("fork")
PRELOADED = ("torch.distributed", "scipy.spatial", "h5py", "pydantic", "beartype")
OURS = {"", *(str(ROOT / name) for name in ("", "src", "tests"))}
EDGE = 20  # characters shown beside a change


@dataclass(frozen=True)
class Mutant:
    """A source with one fault.

    Attributes:
        file: below the root.
        line: counted from 1.
        old, new: the changed place, with what is beside it.
        source: the whole file.
        unseen: why no quick test notices it, where that is accepted.
    """

    file: str
    line: int
    old: str
    new: str
    source: bytes = field(repr=False)
    unseen: str = ""


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: `killed` (by a test), `survived`, `timeout`; `unsound` where the
    same happens without it; `gone`."""

    mutant: Mutant
    fate: str
    by: str
    seconds: float

    def facts(self) -> dict[str, object]:
        """For `--json`."""
        mutant = {name: v for name, v in asdict(self.mutant).items() if name != "source"}
        return mutant | {"fate": self.fate, "by": self.by, "seconds": round(self.seconds, 1)}


def listed(faults: Sequence[Fault] = FAULTS) -> Iterator[Mutant]:
    """The faults of `faults`; without a source where the old text is not there any more."""
    for fault in faults:
        file = fault.file if fault.file.startswith("benchmarks/") else f"src/gleam/{fault.file}"
        path = ROOT / file
        source = path.read_bytes() if path.exists() else b""
        places = [match.start() for match in re.finditer(re.escape(fault.old.encode()), source)]
        if len(places) <= fault.at:
            yield Mutant(file, 0, fault.old, fault.new, b"")
            continue
        first = places[fault.at]
        yield _mutant(file, source, first, first + len(fault.old.encode()), fault.new, fault.unseen)


def sampled(count: int, seed: int, rooms: Sequence[str] = ROOMS) -> list[Mutant]:
    """So many of all known mutations of some rooms, each as likely as any other."""
    files = [path for room in rooms for path in sorted((ROOT / "src/gleam" / room).rglob("*.py"))]
    sites = [(path, change) for path in files for change in mutations(path.read_bytes())]
    random.Random(seed).shuffle(sites)
    valid = (site for site in sites if is_another_program(site[0].read_bytes(), site[1]))
    chosen = islice(valid, count)
    return [
        _mutant(
            str(path.relative_to(ROOT)), path.read_bytes(), change.first, change.last, change.new
        )
        for path, change in sorted(chosen, key=lambda site: (site[0], site[1].first))
    ]


def _mutant(file: str, source: bytes, first: int, last: int, new: str, unseen: str = "") -> Mutant:
    line = source.count(b"\n", 0, first) + 1
    start = max(source.rfind(b"\n", 0, first) + 1, first - EDGE)
    end = source.find(b"\n", last)
    end = min(end if end >= 0 else len(source), last + EDGE)
    before, after = (source[a:b].decode(errors="ignore") for a, b in ((start, first), (last, end)))
    old = source[first:last].decode()
    shown = (" ".join(f"{before}{middle}{after}".split()) for middle in (old, new))
    changed = source[:first] + new.encode() + source[last:]
    return Mutant(file, line, *shown, changed, unseen)


def files_for(file: str, root: Path, wide: bool) -> list[list[str]]:
    """Test files of a module, those to run first in front; none is named twice.

    Args:
        file: below the root.
        root: of the tree.
        wide: also those of other rooms that name it, and all others of its own; such are taken in
            any case where there are none nearer.
    """
    path = Path(file)
    inside = path.relative_to("src/gleam" if path.parts[0] == "src" else path.parts[0])
    module = ".".join(path.with_suffix("").parts).removeprefix("src.")
    parent, _, last = module.rpartition(".")
    imports = re.compile(
        rf"\b{re.escape(module)}\b|from {re.escape(parent)} import [^)]*?\b{last}\b"
    )
    room = root / "tests" / inside.parent
    beside = sorted(room.glob("test_*.py")) or [*room.parent.glob(f"test_{room.name}.py")]
    every = sorted((root / "tests").rglob("test_*.py"))
    mirror = [t for t in beside if f"{t.stem}_".startswith(f"test_{path.stem}_")]
    named = [t for t in every if t not in mirror and imports.search(t.read_text())]
    inside_room = [t for t in named if t in beside]
    elsewhere = [t for t in named if t not in beside]
    stages = [mirror, inside_room]
    if wide or not any(stages):
        stages.append(elsewhere)
    if wide or not any(stages):
        stages.append([t for t in beside if t not in mirror + inside_room])
    return [[str(t.relative_to(root)) for t in stage] for stage in stages if stage]


class Bench:
    """A copy of the tree in which mutants are tried, one after the other."""

    def __init__(self, folder: Path, limit: float, wide: bool) -> None:
        self.folder, self.limit, self.wide = folder, limit, wide
        self._fates: dict[tuple[str, ...], str] = {}
        for name in COPIED:
            source, copy = ROOT / name, folder / name
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy2(source, copy)

    def attempt(self, mutant: Mutant) -> Verdict:
        """Try one; the tree is as before afterwards."""
        path, start = self.folder / mutant.file, time.monotonic()
        before, times = path.read_bytes(), path.stat()
        fate, by = "survived", ""
        for stage in files_for(mutant.file, self.folder, self.wide):
            path.write_bytes(mutant.source)
            # Another second than any other version of it: compiled ones are told apart by it.
            os.utime(path, (times.st_atime, times.st_mtime + 2 + random.randrange(10**8)))
            fate, by = self._run(stage)
            path.write_bytes(before)
            os.utime(path, (times.st_atime, times.st_mtime))
            if fate != "survived" and fate == self._without(stage):
                fate = "unsound"
            if fate != "survived":
                break
        return Verdict(mutant, fate, by, time.monotonic() - start)

    def _without(self, tests: list[str]) -> str:
        """What becomes of these tests without any fault."""
        key = tuple(tests)
        if key not in self._fates:
            self._fates[key] = self._run(tests)[0]
        return self._fates[key]

    def _run(self, tests: list[str]) -> tuple[str, str]:
        told = self.folder / "told.txt"
        process = FORK.Process(target=_run_tests, args=(self.folder, tests, told))
        process.start()
        process.join(self.limit)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # type: ignore[arg-type]
        process.join()
        if process.exitcode == -signal.SIGKILL:
            return "timeout", f"after {self.limit:.0f} s"
        if process.exitcode in (0, 5):  # 5: no test is there
            return "survived", ""
        said = told.read_text()
        failed = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
        return "killed", failed[1] if failed else said.strip().splitlines()[-1]


def _run_tests(folder: Path, tests: list[str], told: Path) -> None:
    """In a process of its own, which need not import again what does not change."""
    os.setsid()
    os.chdir(folder)
    paths = [str(folder / "src"), str(folder)]
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    os.environ.setdefault("GLEAM_DATA", str(ROOT.parent / "shared" / "data"))
    sys.path[:] = [*paths, *(path for path in sys.path if path not in OURS)]
    output = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    command = ["-x", "-q", "-n0", "-m", "not slow and not cuda", "-p", "no:cacheprovider"]
    os._exit(pytest.main([*command, "--durations=0", "--durations-min=999", *tests]))


def tell(verdicts: Sequence[Verdict]) -> None:
    """As a table."""
    for verdict in verdicts:
        mutant = verdict.mutant
        note = verdict.by or mutant.unseen
        print(f"{verdict.fate:8} {mutant.file.removeprefix('src/gleam/')}:{mutant.line}  {note}")
        print(f"         {mutant.old}\n      -> {mutant.new}", flush=True)


def main() -> None:
    """Try the listed faults, a sample, or both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sample", type=int, default=60, help="mutants drawn at random (60)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (0)")
    parser.add_argument(
        "--no-list", action="store_true", help="without the faults of tests/faults.py"
    )
    parser.add_argument("--only", default="", help="those of files whose path matches this")
    parser.add_argument("--wide", action="store_true", help="run also tests farther from a module")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for tests (600)")
    parser.add_argument("--json", type=Path, help="write the verdicts to a file")
    arguments = parser.parse_args()
    chosen = [] if arguments.no_list else list(listed())
    chosen += sampled(arguments.sample, arguments.seed) if arguments.sample else []
    chosen = [mutant for mutant in chosen if re.search(arguments.only, mutant.file)]
    for name in PRELOADED:
        importlib.import_module(name)
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), arguments.timeout, arguments.wide)
        for mutant in chosen:
            gone = Verdict(mutant, "gone", "where is it now? say so in tests/faults.py", 0.0)
            verdicts.append(bench.attempt(mutant) if mutant.source else gone)
            tell(verdicts[-1:])
            if arguments.json:
                facts = [verdict.facts() for verdict in verdicts]
                arguments.json.write_text(json.dumps(facts, indent=1, ensure_ascii=False))
    fates = Counter(
        "accepted" if v.fate == "survived" and v.mutant.unseen else v.fate for v in verdicts
    )
    print(f"{len(verdicts)} faults:", ", ".join(f"{count} {fate}" for fate, count in fates.items()))
    raise SystemExit(bool(fates.keys() - {"killed", "timeout", "accepted"}))


if __name__ == "__main__":
    main()
