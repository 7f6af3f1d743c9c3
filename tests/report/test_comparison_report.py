import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gleam.comparison import measure
from gleam.comparison.compare import Comparison, compare
from gleam.comparison.plan import Plan
from gleam.report import comparison as page
from gleam.report.comparison import _curve, _curves, _shares, write_report
from gleam.report.comparison_tables import summary, terminal_table, write_tables
from gleam.report.plots import Curve

HOSTILE = "<script>alert(1)</script>"
SCHEMES = {
    "greedy": {},
    HOSTILE: {"training": {"modules": 1}, "budget": "time", "seeds": 1},
    "too large": {"training": {"modules": 1}, "fit": "width"},
}


@pytest.fixture(scope="module")
def comparison(
    planned: Callable[..., Plan], tmp_path_factory: pytest.TempPathFactory
) -> Comparison:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "interleaved", lambda *_: {"own": [1.0], "against": [2.0]})
        patch.setattr(measure, "largest_that_fits", lambda *_: None)
        return compare(planned(SCHEMES, seeds=2), tmp_path_factory.mktemp("comparison") / "all")


def test_report_names_every_scheme_and_says_what_does_not_fit(
    comparison: Comparison, tmp_path: Path
) -> None:
    write_report(tmp_path / "report.html", comparison)
    page = (tmp_path / "report.html").read_text()
    assert HOSTILE not in page
    assert page.count("&lt;script&gt;") > 3
    assert "does not fit" in page
    assert "MoDL, greedy, 2 modules of 2+1 iterations" in page
    assert "untrained, 3 iterations" in page
    assert "seconds of training" in page
    assert "seeds " in page
    assert "1 seed" in page


def test_summary_holds_costs_scores_and_differences(comparison: Comparison, tmp_path: Path) -> None:
    write_tables(comparison, tmp_path)
    written: dict[str, Any] = json.loads((tmp_path / "summary.json").read_text())
    assert written == json.loads(json.dumps(summary(comparison)))
    rival = written["schemes"][HOSTILE]
    assert (rival["steps"], rival["seeds"], rival["time_per_step_ratio"]) == (12, 1, 0.5)
    assert rival["memory_bytes"] > rival["step_memory_bytes"] > 0
    assert not written["schemes"]["too large"]["fits"]
    scores = written["scores"]["simulated"]
    assert "too large" not in scores
    gap = scores[HOSTILE]["minus_against"]["psnr_complex"]["mean"]
    means = [scores[name]["psnr_complex"]["mean"] for name in (HOSTILE, "greedy")]
    assert gap == pytest.approx(means[0] - means[1])
    assert len(scores["greedy"]["psnr_complex_by_seed"]) == 2
    rows = (tmp_path / "scores-simulated.csv").read_text().splitlines()
    assert len(rows) == 1 + 3 * 6  # scans, methods


def test_bars_are_shares_of_the_largest(comparison: Comparison) -> None:
    shares = {one.name: _shares(one, comparison.results) for one in comparison.results}
    assert {name: one["time_share"] for name, one in shares.items()} == {
        "greedy": 100, HOSTILE: 50, "too large": 0,
    }  # fmt: skip
    memory = {one.name: one.entry.cost.memory for one in comparison.results if one.entry}
    most = max(memory.values())
    for name, one in shares.items():
        assert one["memory_share"] == pytest.approx(100 * memory.get(name, 0) / most)


def test_what_was_never_validated_has_no_curve(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = {one.name: one for one in comparison.results}
    greedy = results["greedy"]
    (curve, other) = (_curve(results[name]) for name in ("greedy", HOSTILE))
    assert curve is not None
    assert other is not None
    seconds = greedy.entry.seconds if greedy.entry else 0.0
    assert [x / seconds for x in curve.x] == pytest.approx([3, 6])
    assert len(other.x) == len(other.y) > 0
    assert _curve(results["too large"]) is None
    assert _curve(replace(greedy, runs=[])) is None
    monkeypatch.setattr(page, "validation_curve", lambda *_: Curve("greedy", [], []))
    assert _curve(greedy) is None
    assert _curves(comparison.results, dict.fromkeys(results, "#000000")) is None


def test_the_page_marks_what_the_scans_cannot_tell(comparison: Comparison, tmp_path: Path) -> None:
    gap = summary(comparison)["scores"]["simulated"][HOSTILE]["minus_against"]["psnr_complex"]
    sure = gap["low"] > 0 or gap["high"] < 0
    scans = comparison.scores["simulated"].evaluation.scans
    names = sorted({score.scan for score in scans})
    unlike = [  # as its scans say, then as if they contradicted each other
        replace(score, psnr_complex=score.psnr_complex + 100 * (-1) ** names.index(score.scan))
        if score.method == HOSTILE
        else score
        for score in scans
    ]
    for kept, marked in ((scans, not sure), (unlike, True)):
        scores = comparison.scores["simulated"]
        scores = replace(scores, evaluation=replace(scores.evaluation, scans=kept))
        write_report(tmp_path / "r.html", replace(comparison, scores={"simulated": scores}))
        text = (tmp_path / "r.html").read_text()
        assert ('<span class="unsure">' in text) is marked


def test_terminal_table_has_a_row_per_scheme(comparison: Comparison) -> None:
    console = Console(width=200, record=True, quiet=False, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(terminal_table(comparison))
    text = captured.get()
    assert all(name in text for name in SCHEMES)
    assert "does not fit" in text
