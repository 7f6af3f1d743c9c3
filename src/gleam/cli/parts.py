"""Names of the outputs of a file's parts, and whether they can be written."""

import math
from pathlib import Path

from gleam.data.example import Example
from gleam.formats.dicom import writer as dicom
from gleam.formats.parts import named, suffixes_of


def part_of(out: Path, part: str) -> Path:
    """The path of a part's output, if `out` is that of an only scan's."""
    suffixes = suffixes_of(out)
    return out.with_name(f"{named(out.name.removesuffix(suffixes), part)}{suffixes}")


def check_dicom(out: Path, example: Example, force: bool) -> None:
    """Refuse a path of DICOM before an image is made for it; see `gleam.formats.dicom.writer`."""
    slices, _, frames, *_ = example.shape
    dicom.check(out, slices * frames * math.prod(example.header.matrix[:-2]), force)
