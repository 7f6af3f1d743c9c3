"""Where what is made of the parts of a file goes."""

from pathlib import Path

from gleam.formats.scan import named


def part_of(out: Path, part: str) -> Path:
    """Where to write what is made of a part, if `out` is where an only scan's would go."""
    suffixes = _suffixes(out)
    return out.with_name(f"{named(out.name.removesuffix(suffixes), part)}{suffixes}")


def check_beside(image: Path) -> Path:
    """Where to write what a check of an image found."""
    return image.with_name(f"{image.name.removesuffix(_suffixes(image))}.check.json")


def _suffixes(out: Path) -> str:
    return "".join(out.suffixes[-2:] if out.name.endswith(".nii.gz") else out.suffixes[-1:])
