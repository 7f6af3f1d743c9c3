"""What a report says: its words and numbers, and that it needs nothing from elsewhere."""

import json
import math
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from toy_test_set import FRAMES, HOSTILE, toy_batch, toy_series, ways, zero_filled

from gleam.errors import BadInput
from gleam.evaluation.evaluate import evaluate
from gleam.evaluation.result import Evaluation
from gleam.report import scans, scripts
from gleam.report.evaluation import write_report
from gleam.report.plots import Curve, line_plot, method_colours, thinned
from gleam.report.training import RunSummary

RUNS = [
    RunSummary(
        "zero-filled",
        "greedy, 2 modules",
        1_234_567,
        peak_bytes=512 * 2**20,
        seconds_per_step=0.25,
        losses=(Curve("module 1", [0, 1, 2], [3.0, 0.2, 0.1]), Curve("<i>2</i>", [0, 1], [1, 0.5])),
        validation=Curve("validation", [0, 1, 2], [20.0, 25.0, math.nan]),
    ),
    RunSummary("<u>end-to-end</u>", "end-to-end", 99, peak_bytes=2**31),
]


class Reader(HTMLParser):
    """Gathers tags, attributes and text, as a browser would see them, and what scripts hold."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes
        self._inside = tag
        if tag == "script":
            self.scripts.append((dict(attributes), ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif self._inside != "style":
            self.text += data


def read(path: Path) -> tuple[str, Reader]:
    page = path.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(page)
    return page, reader


def content(reader: Reader) -> dict[str, Any]:
    """What the page's script is given."""
    (found,) = (text for name, text in reader.scripts if name.get("id") == "content")
    return json.loads(found)


@pytest.fixture(scope="module")
def report(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, evaluation, RUNS, title="Toys & <em>more</em>")
    return path


def test_needs_nothing_from_elsewhere(report: Path) -> None:
    page, reader = read(report)
    assert "default-src 'none'" in page
    sources = [value for name, value in reader.attributes if name in ("src", "href")]
    assert sources == ["data:,"]  # no icon
    assert not {"iframe", "object", "base"} & set(reader.tags)
    assert "@import" not in scripts.style()


def test_its_scripts_are_the_only_ones_it_allows(report: Path) -> None:
    page, reader = read(report)
    run = [text for name, text in reader.scripts if "type" not in name]
    assert len(run) == len(scripts.LIBRARIES) + 1
    (policy,) = re.findall(r"script-src ([^\"]*)\"", page)
    assert policy == scripts.allowed(tuple(run))
    assert "unsafe" not in policy


def test_libraries_keep_their_licences() -> None:
    folder = Path(scripts.__file__).parent / "templates" / "libraries"
    for name in scripts.LIBRARIES:
        notice = (folder / f"{name.partition('.')[0]}.LICENSE").read_text()
        assert "Permission to use, copy, modify, and/or distribute" in notice


def test_names_from_elsewhere_are_text(report: Path) -> None:
    _, reader = read(report)
    assert not {"em", "u"} & set(reader.tags)
    for name in ("<b>shrunk</b> & more", "<u>end-to-end</u>", "Toys & <em>more</em>"):
        assert name in reader.text
    said = content(reader)
    assert [scan["name"] for scan in said["scans"]] == ["a", "b", HOSTILE]
    assert [curve["name"] for curve in said["plots"]["losses-0"]["curves"]][1] == "<i>2</i>"
    assert len(reader.scripts) == 3 + 1 + 3 * 3  # what runs, the content, the images


def test_tells_the_outcome_and_the_training(report: Path) -> None:
    _, reader = read(report)
    assert "“zero-filled” came out best with a complex PSNR of" in reader.text
    assert "more than chance, as the interval leaves out zero" in reader.text
    assert (
        "“zero-filled” needed the least memory: 512\u00a0MiB, against 2.00\u00a0GiB" in reader.text
    )
    assert "3 scans · 5 slices · 2 methods" in reader.text
    assert "the CPU, 1 thread" in reader.text
    assert "greedy, 2 modules" in reader.text
    assert "1\u202f234\u202f567" in reader.text
    for heading in ("Image quality", "Slice by slice", "Iteration by iteration", "Training"):
        assert heading in reader.text
    bars = [value for name, value in reader.attributes if name == "style" and "width" in value]
    assert bars == ["width:25.0%", "width:100.0%", "width:100.0%"]


def test_every_scan_and_slice_is_there_with_its_scores(
    report: Path, evaluation: Evaluation
) -> None:
    _, reader = read(report)
    said = content(reader)
    first = said["scans"][0]
    assert first["size"] == [3, 1, 1, 16, 16]
    assert first["numbers"] == [0, 1, 2]
    names = ["Target", "zero-filled", "<b>shrunk</b> & more"]
    assert [image["name"] for image in first["images"]] == names
    own = [s for s in evaluation.slices if s.scan == "a" and s.method == "zero-filled"]
    assert first["scores"]["zero-filled"]["psnr_complex"] == [s.psnr_complex for s in own]
    blocks = {name.get("id"): text for name, text in reader.scripts}
    for scan in said["scans"]:
        for image in scan["images"]:
            assert blocks[image["block"]].count(",") == scan["size"][0] - 1
    (test,) = said["tests"]
    assert {row["scan"] for row in test["scores"]} == {"a", "b", HOSTILE}
    mean, low, high = test["means"]["zero-filled"]["psnr_complex"]
    assert low < mean < high


def test_what_does_not_fit_goes_to_a_further_page(
    evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "ROOM", evaluation.pictures[0].nbytes * 4 // 3 + 10)
    first, *others = write_report(tmp_path / "r.html", evaluation, RUNS)
    assert [path.name for path in others] == ["r-2.html"]
    found = [content(read(path)[1]) for path in (first, *others)]
    assert [[scan["name"] for scan in one["scans"]] for one in found] == [["a"], ["b", HOSTILE]]
    assert [bool(one["plots"]) for one in found] == [True, False]
    assert [len(one["tests"]) for one in found] == [1, 0]
    assert ("href", "r-2.html") in read(first)[1].attributes
    assert ("href", "r.html") in read(others[0])[1].attributes
    assert "Image quality" not in read(others[0])[1].text


def test_scans_without_pictures_are_counted(tmp_path: Path) -> None:
    batches = [toy_batch(["a"], [0]), toy_batch(["b"], [0], seed=1)]
    found = evaluate(ways(alone=zero_filled), batches, room=1)
    assert [scan.scan for scan in found.pictures] == ["a"]
    write_report(tmp_path / "r.html", found)
    assert "1 more scan has scores but no pictures" in read(tmp_path / "r.html")[1].text


def test_one_scan_one_method_and_no_run(tmp_path: Path) -> None:
    found = evaluate(ways(alone=zero_filled), [toy_batch(["a"], [0])], room=0)
    write_report(tmp_path / "r.html", found)
    _, reader = read(tmp_path / "r.html")
    assert "“alone” reached a complex PSNR of" in reader.text
    for absent in ("Slice by slice", "Training", "Difference to"):
        assert absent not in reader.text
    assert "select" not in str([v for n, v in reader.attributes if n == "id"])
    assert "nan" not in reader.text.lower().split()


def test_a_method_that_failed_is_named(tmp_path: Path) -> None:
    def failed(measurement):
        yield measurement.adjoint * math.nan

    found = evaluate(
        ways(fine=zero_filled, failed=failed),
        [toy_batch(["a"], [0]), toy_batch(["b"], [0], seed=1)],
    )
    diverged = replace(RUNS[0], losses=(Curve("module 1", [0, 1], [math.nan, math.inf]),))
    write_report(tmp_path / "r.html", found, [diverged])
    _, reader = read(tmp_path / "r.html")
    assert "“fine” reached" in reader.text  # who failed is no rival
    assert "“failed” failed: its images hold values that are not finite." in reader.text
    assert content(reader)["scans"][0]["scores"]["failed"]["psnr_complex"] == [None]


def test_without_jinja_it_says_what_to_install(
    evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(BadInput, match=r"pip install -e '\.\[report\]'"):
        write_report(tmp_path / "r.html", evaluation)
    assert not list(tmp_path.iterdir())


def test_long_curves_are_thinned_to_means() -> None:
    curve = thinned(Curve("loss", range(1000), [float(i % 2) for i in range(1000)]), points=100)
    assert len(curve.x) == 100
    assert curve.y == pytest.approx([0.5] * 100)
    assert curve.x[0] == pytest.approx(4.5)


def test_a_plot_holds_what_json_can_say() -> None:
    curves = [Curve("a", [1, 2], [1.0, math.nan])]
    plot = line_plot(curves, {"a": "#123456"}, xlabel="step", ylabel="dB")
    assert plot["logarithmic"] is False
    assert line_plot(curves, None, xlabel="step", ylabel="", logarithmic=True)["logarithmic"]
    assert plot["curves"] == [{"name": "a", "colour": "#123456", "points": [[1, 1.0], [2, None]]}]


@pytest.mark.parametrize("count", [1, 8, 9, 20])
def test_no_two_methods_have_one_colour(count: int) -> None:
    colours = method_colours([str(number) for number in range(count)])
    assert len({*colours.values()}) == len(colours) == count
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours.values())


def test_a_series_has_all_frames_and_a_line_through_what_moves(tmp_path: Path) -> None:
    found = evaluate(ways(**{"zero-filled": zero_filled}), [toy_series()])
    write_report(tmp_path / "r.html", found)
    _, reader = read(tmp_path / "r.html")
    (scan,) = content(reader)["scans"]
    assert scan["size"][:2] == [2, FRAMES]
    assert scan["line"] == [0, 11, 15, 11]
    assert [len(one) for one in scan["frameScores"]["zero-filled"]] == [FRAMES, FRAMES]
    assert "Frame by frame" in reader.text
