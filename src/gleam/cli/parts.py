"""Names of the outputs of a file's parts."""

from pathlib import Path

from gleam.formats.parts import named


def part_of(out: Path, part: str) -> Path:
    """The path of a part's output, if `out` is that of an only scan's."""
    suffixes = _suffixes(out)
    return out.with_name(f"{named(out.name.removesuffix(suffixes), part)}{suffixes}")


def check_beside(image: Path) -> Path:
    """The path of the check of an image, beside it."""
    return image.with_name(f"{image.name.removesuffix(_suffixes(image))}.check.json")


def _suffixes(out: Path) -> str:
    return "".join(out.suffixes[-2:] if out.name.endswith(".nii.gz") else out.suffixes[-1:])
