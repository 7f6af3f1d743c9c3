"""Names of the outputs of a file's parts, and whether they can be written."""

import math
from pathlib import Path

from gleam.data.example import Example
from gleam.formats.dicom import writer as dicom
from gleam.formats.parts import named


def part_of(out: Path, part: str) -> Path:
    """The path of a part's output, if `out` is that of an only scan's."""
    suffixes = _suffixes(out)
    return out.with_name(f"{named(out.name.removesuffix(suffixes), part)}{suffixes}")


def check_beside(image: Path) -> Path:
    """The path of the check of an image, beside it."""
    return image.with_name(f"{image.name.removesuffix(_suffixes(image))}.check.json")


def check_dicom(out: Path, example: Example, force: bool) -> None:
    """Refuse a path of DICOM before an image is made for it; see `gleam.formats.dicom.writer`."""
    slices, _, frames, *_ = example.shape
    dicom.check(out, slices * frames * math.prod(example.header.matrix[:-2]), force)


def _suffixes(out: Path) -> str:
    return "".join(out.suffixes[-2:] if out.name.endswith(".nii.gz") else out.suffixes[-1:])
