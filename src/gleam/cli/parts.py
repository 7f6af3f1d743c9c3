"""The parts of a file, one after the other; names of their outputs, and whether these can be
written."""

import math
from collections.abc import Callable
from pathlib import Path

from gleam.errors import BadInput
from gleam.formats import Scan
from gleam.formats.dicom import writer as dicom
from gleam.formats.parts import Scans, named, suffixes_of
from gleam.terminal import warn


def of_each(file: Path, parts: Scans, work: Callable[[str, Callable[[], Scan]], None]) -> None:
    """Do something with each scan of a file: what is wrong with one stops none of the others.

    It is said at the end, in a line each.

    Args:
        file: that holds them.
        parts: at least one.
        work: called with a part's name and what reads it.

    Raises:
        BadInput: something is wrong with all of them, or with the only one.
    """
    wrong = dict[str, BadInput]()
    for part, read in parts.items():
        try:
            work(part, read)
        except BadInput as error:
            wrong[part] = error
    if len(wrong) == len(parts):
        raise next(iter(wrong.values()))
    for part, why in wrong.items():
        warn(f"{file.name}, part {part}", [f"skipped: {why}"])


def part_of(out: Path, part: str) -> Path:
    """The path of a part's output, if `out` is that of an only scan's."""
    suffixes = suffixes_of(out)
    return out.with_name(f"{named(out.name.removesuffix(suffixes), part)}{suffixes}")


def check_dicom(out: Path, scan: Scan, force: bool) -> None:
    """Refuse a path of DICOM before an image is made for it; see `gleam.formats.dicom.writer`."""
    slices, _, frames, *space = scan.kspace.shape
    images = [min(m, n) for m, n in zip(scan.matrix[:-2], space, strict=False)]
    dicom.check(out, slices * frames * math.prod(images), force)
