"""Scans divided by subject into training, validation and test: never slices, never copies apart.

Where a subject belongs follows from its name and a seed alone, so that scans that are added move no
other. Scans whose files are equal, byte for byte, belong to one subject, whatever they are called.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from gleam.errors import BadInput
from gleam.files import check_exists, sha256_of
from gleam.formats import SCAN_SUFFIXES, is_scan_file, scan_file
from gleam.preparation import manifest

SIDES = ("train", "validation", "test")
_GLIMPSE = 2**16  # bytes; two scans that have these in common are compared as a whole


def shares(text: str) -> tuple[float, ...]:
    """The share of each side of `80/10/10`, as fractions of one.

    Raises:
        BadInput: it is not that.
    """
    numbers = [float(n) for n in text.split("/") if re.fullmatch(r"\d+(\.\d+)?", n)]
    if text.count("/") != 2 or len(numbers) != 3 or not sum(numbers) > 0:
        raise BadInput(f"--split is like 80/10/10 ({', '.join(SIDES)}), not {text!r}")
    return tuple(number / sum(numbers) for number in numbers)


def subjects(inputs: Sequence[Path], out: Path, pattern: str | None = None) -> dict[Path, str]:
    """The scans in folders, and below them, and files as given, each with its subject.

    Args:
        inputs: folders and files.
        out: where the sides lie, or will; what is in them is no scan.
        pattern: regular expression that finds the subject in a path below its folder: its first
            group, or all of it. By default the folder below the one given, or else the file.

    Raises:
        BadInput: a path that does not exist, a folder without scans, or no subject in a path.
    """
    try:
        wanted = None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise BadInput(f"--subject: {pattern}: is no regular expression ({error})") from error
    found: dict[Path, str] = {}
    made = {(out / side).resolve() for side in SIDES}
    for path in map(scan_file, inputs):
        if not path.is_dir():
            check_exists(path, "give scan files or folders of them")
        below = sorted(filter(is_scan_file, path.rglob("*")))
        inside = [file for file in below if made.isdisjoint(file.resolve().parents)]
        inside = [path] if path.is_file() else inside
        if not inside:
            raise BadInput(f"{path}: holds no scan (known are {', '.join(SCAN_SUFFIXES)})")
        for file in inside:
            place = Path(file.name) if file == path else file.relative_to(path)
            found[file] = _subject(place, wanted)
    return found


def divide(
    scans: dict[Path, str], parts: Sequence[float], seed: int, out: Path
) -> dict[str, list[Path]]:
    """The scans of each side that gets any.

    Args:
        scans: each with its subject.
        parts: the share of each of `SIDES`.
        seed: another one divides the subjects otherwise.
        out: where `out`/SIDE may hold examples of before.

    Raises:
        BadInput: a side that is to have scans would have none, or a scan was put elsewhere before.
    """
    whose = dict(scans)
    for copies in _copies(scans):
        names = {whose[file] for file in copies}
        whose = {file: min(names) if name in names else name for file, name in whose.items()}
    divided: dict[str, list[Path]] = {side: [] for side, n in zip(SIDES, parts, strict=True) if n}
    for file, name in whose.items():
        divided[_side(name, parts, seed)].append(file)
    for side, own in divided.items():
        if not own:
            raise BadInput(
                f"--split: {side} would get none of the {len(set(whose.values()))} subjects; give "
                "another --seed, or other shares"
            )
    for other in SIDES:
        elsewhere = _names_in(out / other / manifest.NAME)
        elsewhere -= {file.name for file in divided.get(other, [])}
        for side, own in divided.items():
            for file in own:
                if side != other and file.name in elsewhere:
                    raise BadInput(
                        f"{file}: belongs to {out / side} now, but was prepared into {out / other} "
                        "before; give another folder, or the --split and --seed of before"
                    )
    return divided


def _side(subject: str, parts: Sequence[float], seed: int) -> str:
    digest = hashlib.sha256(f"{seed} {subject}".encode(errors="surrogateescape")).digest()
    place, last = int.from_bytes(digest[:8], "big") / 2**64, ""
    for side, share in zip(SIDES, parts, strict=True):
        if share:
            last = side
            if place < share:
                break
        place -= share
    return last


def _subject(place: Path, wanted: re.Pattern[str] | None) -> str:
    if wanted is None:
        return place.parts[0] if len(place.parts) > 1 else place.stem
    match = wanted.search(place.as_posix())
    text = match and (match[1] if wanted.groups else match[0])
    if not text:
        raise BadInput(f"{place}: --subject {wanted.pattern} finds no subject in it")
    return text


def _copies(files: Iterable[Path]) -> list[list[Path]]:
    """Files with the same content; only what looks alike is read as a whole."""
    alike = [list(files)]
    for fact in (_size, _glimpse, sha256_of):
        alike = [same for some in alike for same in _grouped(some, fact) if len(same) > 1]
    return alike


def _grouped(files: list[Path], fact: Callable[[Path], object]) -> list[list[Path]]:
    groups: dict[object, list[Path]] = defaultdict(list)
    for file in files:
        try:
            groups[fact(file)].append(file)
        except OSError as error:
            raise BadInput(f"{file}: cannot be read ({error.strerror})") from error
    return [*groups.values()]


def _size(file: Path) -> int:
    return file.stat().st_size


def _glimpse(file: Path) -> bytes:
    with file.open("rb") as content:
        content.seek(max(0, _size(file) // 2 - _GLIMPSE // 2))
        return content.read(_GLIMPSE)


def _names_in(path: Path) -> set[str]:
    """Names of the scans that were prepared, by a manifest; what is wrong with it, `recorded`
    says."""
    try:
        entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return {entry["source"] for entry in entries if entry["status"] == "prepared"}
    except (OSError, ValueError, TypeError, KeyError):
        return set()
