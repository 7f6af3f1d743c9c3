import math

import pytest

from gleam.evaluation.scores import Score
from gleam.evaluation.summary import summarise
from gleam.report.prose import memory, outcome, size
from gleam.report.quality import _differences


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


def scores_by(**psnr: list[float]) -> list[Score]:
    """Of methods, by scan; SSIM goes the other way."""
    return [
        Score(method, f"scan {n}", None, one, one, 0.1, 1 - one / 100)
        for n in range(len(next(iter(psnr.values()))))
        for method, of_scans in psnr.items()
        for one in [of_scans[n]]
    ]


def test_numbers_are_those_of_the_scans() -> None:
    scores = scores_by(a=[30.0, 31.0], b=[34.0, 36.0], c=[20.0, 22.0], d=[-math.inf, 40.0])
    first, gap, ssim, last, failed = outcome(summarise(scores))
    assert first.startswith("“b” came out best with a complex PSNR of 35.00\u00a0dB (95% interval ")
    assert first.endswith("34.00 to 36.00), mean of 2 scans.")
    assert gap.startswith(
        "That is 4.50\u00a0dB (95% interval 4.00 to 5.00) more than “a”, the next"
    )
    assert ssim.startswith("SSIM puts “d” first (")
    assert last == "Last is “c” with 21.00\u00a0dB."
    assert failed == "“d” failed: its images hold values that are not finite."
    both = outcome(summarise(scores_by(a=[30.0, 31.0], b=[34.0, 36.0])))
    assert not any(sentence.startswith("Last") for sentence in both)


def test_one_method_is_no_competition() -> None:
    (only,) = outcome(summarise(scores_by(a=[30.0])))
    assert only == "“a” reached a complex PSNR of 30.00\u00a0dB on the one scan there is."
    broken = scores_by(a=[-math.inf, 1.0])
    assert outcome(summarise(broken)) == ["“a” failed: its images hold values that are not finite."]


def test_memory_is_told_of_the_least_and_the_most() -> None:
    peaks = [("b", 3 * 2**20), ("c", 2000 * 2**20), ("a", 2**20)]
    assert memory(peaks) == (
        "In training, “a” needed the least memory: 1\u00a0MiB, against 1.95\u00a0GiB for “c” "
        "(2000.0 times as much)."
    )
    assert [size(number * 2**20) for number in (999, 1000)] == ["999\u00a0MiB", "0.98\u00a0GiB"]


def test_about_as_much_memory_is_no_difference() -> None:
    peaks = [("a", 100 * 2**20), ("b", 104 * 2**20)]
    assert memory(peaks) == "In training, all needed about as much memory: 104\u00a0MiB."
    peaks[1] = ("b", 105 * 2**20)
    assert "“a” needed the least memory" in memory(peaks)
