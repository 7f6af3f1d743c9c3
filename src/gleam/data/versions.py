"""Versions of preparation, and the one that made a data set."""

from collections.abc import Sequence

from gleam.data.example import Example
from gleam.data.header import VERSION
from gleam.errors import BadInput


def check_versions(examples: Sequence[Example]) -> str | None:
    """Make sure that one version of preparation made all examples; a doubt if it is not this one.

    Raises:
        BadInput: several did, whose intensities and noise levels differ.
    """
    by_version = {example.header.version: example for example in examples}
    again = "prepare the scans again with `gleam prepare --force` (docs/versions.md)"
    if len(by_version) > 1:
        *_, (old, one), (new, other) = sorted(by_version.items())
        raise BadInput(
            f"{one.path}: was made by version {old} of preparation, but {other.path} by version "
            f"{new}, and their numbers differ; {again}"
        )
    if VERSION in by_version:
        return None
    old, one = by_version.popitem()
    return f"was made by version {old} of preparation, this is version {VERSION}; {again}"
