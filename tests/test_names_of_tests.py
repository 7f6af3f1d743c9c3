"""Test files have names of their own: pytest imports them by these, whatever their folder."""

from collections import Counter
from pathlib import Path


def test_no_two_test_files_are_named_alike() -> None:
    counts = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert len(counts) > 100
    assert [name for name, count in counts.items() if count > 1] == []
