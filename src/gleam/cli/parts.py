"""Where what is made of the parts of a file goes."""

from pathlib import Path

from gleam.formats.scan import named


def part_of(out: Path, part: str) -> Path:
    """Where to write what is made of a part, if `out` is where an only scan's would go."""
    suffixes = "".join(out.suffixes[-2:] if out.name.endswith(".nii.gz") else out.suffixes[-1:])
    return out.with_name(f"{named(out.name.removesuffix(suffixes), part)}{suffixes}")
