"""`Scans`: the scans of one file, each a part of it that has a name, of which one may be chosen."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gleam.errors import BadInput
from gleam.formats.scan import Scan

# What a file or a stream holds, by the names of its parts; each is read when it is asked for. The
# name of an only one is empty.
Scans = Mapping[str, Callable[[], Scan]]


def only(name: str, scans: Scans, part: str | None = None) -> Scan:
    """Read the one scan, or the part that is meant.

    Args:
        name: of what holds them, for messages.
        scans: at least one.
        part: its name; None if there is but one.

    Raises:
        BadInput: there is no such part, or several and none is named; or it cannot be read.
    """
    found = list(choose(name, scans, part).values())
    if len(found) > 1:
        raise BadInput(
            f"{name}: holds {len(found)} scans ({_listed(scans)}); choose one with --part"
        )
    return found[0]()


def _listed(scans: Scans) -> str:
    return ", ".join(scans) if len(scans) > 1 else "one scan alone, without parts"


def choose(name: str, scans: Scans, part: str | None) -> Scans:
    """All of them, or the part that is named.

    Args:
        name: of what holds them, for messages.
        scans: at least one.
        part: its name; None takes all.

    Raises:
        BadInput: there is no such part.
    """
    if part is None:
        return scans
    if part not in scans:
        raise BadInput(f"{name}: has no part {part!r}; it holds {_listed(scans)}")
    return {part: scans[part]}


def named(name: str, part: str) -> str:
    """The name of the scan that a part is: the file's, and the part's."""
    return f"{name}-{part}" if part else name


def suffixes_of(path: Path) -> str:
    """The end of a file's name that says its format: .nii.gz, .png."""
    return "".join(path.suffixes[-2:] if path.name.endswith(".nii.gz") else path.suffixes[-1:])


def called(path: Path) -> str:
    """The name of the scan in a file: the file's without suffix.

    File systems have bytes for names. Those that are no UTF-8, as older systems wrote them, are
    taken for Latin-1, so that the name can be written everywhere.
    """
    name = os.fsencode(path.stem)
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


def which_slices(numbers: Sequence[int]) -> str:
    """The name of a part that some slices make: `slices0-11`, `slices1-11by2`, `slice4`."""
    first, last = numbers[0], numbers[-1]
    if len(numbers) == 1:
        return f"slice{first}"
    by = numbers[1] - first
    if list(numbers) != list(range(first, last + 1, by)):
        return f"slices{'+'.join(map(str, numbers))}"
    return f"slices{first}-{last}" + (f"by{by}" if by > 1 else "")
