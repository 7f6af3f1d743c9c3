"""No file does harm: spoilt files of every kind, read in children (see `fuzz`)."""

import sys

import pytest
from fuzz import Report, fuzz
from seeds import KINDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux only")

QUICK, ALL = 300, 20_000


@pytest.mark.parametrize("kind", KINDS)
def test_some_spoilt_files(kind: str) -> None:
    check(fuzz(kind, 0, QUICK), QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_spoilt_files(kind: str) -> None:
    check(fuzz(kind, QUICK, ALL), ALL - QUICK)


def check(report: Report, count: int) -> None:
    assert report.wrong == {}
    assert report.counts.total() == count
    assert report.counts["refused"] > 0.3 * count  # the edits do spoil files
    assert report.counts["read"] > 0.01 * count  # and do not spoil them beyond recognition
