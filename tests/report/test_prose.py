import pytest

from gleam.evaluation.scores import Score
from gleam.evaluation.summary import summarise
from gleam.report.page import _differences
from gleam.report.prose import outcome


def scores_of(*gaps: float) -> list[Score]:
    """Of two methods, one better by so many dB in each scan."""
    return [
        Score(method, f"scan {n}", None, 30 + psnr, 30 + psnr, 0.1, 0.9)
        for n, gap in enumerate(gaps)
        for method, psnr in (("one", gap), ("other", 0.0))
    ]


def said(*gaps: float) -> str:
    return " ".join(outcome(summarise(scores_of(*gaps))))


@pytest.mark.parametrize(("gaps", "sure"), [((1.0, 1.1, 0.9), True), ((3.0, -2.0, 1.0), False)])
def test_tables_say_the_same(gaps: tuple[float, ...], sure: bool) -> None:
    (row,) = _differences(summarise(scores_of(*gaps)))
    assert row["name"] == "other"
    assert row["cells"][0][-1] is sure


@pytest.mark.parametrize(
    ("gaps", "verdict"),
    [
        ((1.0, 1.1, 0.9, 1.2), "more than chance, as the interval leaves out zero"),
        ((3.0, -2.0, 1.5, -1.0), "these scans cannot tell the two apart"),
        ((1.0,), "one scan cannot tell whether that is chance"),
    ],
    ids=["sure", "unsure", "one scan"],
)
def test_what_the_scans_can_tell_is_said(gaps: tuple[float, ...], verdict: str) -> None:
    assert f"more than “other”, the next best: {verdict}." in said(*gaps)
