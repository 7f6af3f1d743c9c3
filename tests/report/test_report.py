import base64
import hashlib
import io
import math
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import prepared
from toy_test_set import FRAMES, HOSTILE, toy_batch, toy_series, ways, zero_filled

from gleam.data.loader import every_slice
from gleam.errors import BadInput
from gleam.evaluation.evaluate import Evaluation, evaluate
from gleam.recipe import MaskRecipe
from gleam.report import pictures
from gleam.report.evaluation import write_report
from gleam.report.plots import Curve, line_plot, method_colours, thinned
from gleam.report.training import RunSummary
from gleam.simulation import simulate_scan

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
    """Gathers tags, attributes and text, as a browser would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data: str) -> None:
        self.text += data


def read(path: Path) -> tuple[str, Reader]:
    page = path.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(page)
    return page, reader


@pytest.fixture(scope="module")
def report(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, evaluation, RUNS, title="Toys & <em>more</em>")
    return path


def test_needs_nothing_from_elsewhere(report: Path) -> None:
    page, reader = read(report)
    written = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", page)  # chance writes //x, too
    assert not re.search(r"https?:|//[a-z]|@import", written)
    sources = [value for name, value in reader.attributes if name in ("src", "href", "xlink:href")]
    assert sources
    assert all(value and value.startswith(("data:image/png;base64,", "#")) for value in sources)
    assert all(url.startswith("#") for url in re.findall(r"url\(([^)]*)\)", page))
    assert not {"script", "link", "iframe", "object"} & set(reader.tags)


def test_names_from_elsewhere_are_text(report: Path) -> None:
    page, reader = read(report)
    assert "<script" not in page
    assert not {"em", "u"} & set(reader.tags)
    for name in (HOSTILE, "<b>shrunk</b> & more", "<u>end-to-end</u>", "Toys & <em>more</em>"):
        assert name in reader.text
    assert "<i>2</i>" in reader.text


def test_tells_the_outcome_and_the_training(report: Path, evaluation: Evaluation) -> None:
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
    for heading in ("Image quality", "Pictures", "Iteration by iteration", "Training", "Made with"):
        assert heading in reader.text
    for example in evaluation.examples:
        assert f"{example.scores['zero-filled'].psnr_complex:.2f} dB complex" in reader.text


def test_every_picture_says_what_it_shows_and_has_its_own_size(report: Path) -> None:
    page, reader = read(report)
    assert reader.tags.count("img") == 3 * (2 + 2 * 2) + 1
    assert sum(1 for name, value in reader.attributes if name == "alt" and value) == 19
    encoded = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    images = [Image.open(io.BytesIO(base64.b64decode(data))) for data in encoded]
    grey = [np.asarray(image) for image in images if image.mode == "L"]
    lines = np.zeros((16, 16), np.uint8)
    lines[:, 4:12] = 255  # the toys' mask, zero frequency in the middle
    assert sum(np.array_equal(picture, lines) for picture in grey) == 3
    assert {picture.shape for picture in grey} == {(16, 16)}
    assert sum(picture.max() == 255 for picture in grey) >= 2 * 3  # sampling and target at least


def test_white_is_what_all_but_the_brightest_voxels_stay_below(evaluation: Evaluation) -> None:
    example = evaluation.examples[0]
    target = torch.ones(1, 10, 100)
    target[0, 0, :4] = 1000.0
    views = [replace(example.views[0], target=target)]
    assert pictures.window(replace(example, views=views)) == pytest.approx(1)
    target[0, 0, :60] = 1000.0
    assert pictures.window(replace(example, views=views)) == pytest.approx(1000)


def test_one_scan_one_method_and_no_run(tmp_path: Path) -> None:
    found = evaluate(ways(alone=zero_filled), [toy_batch(["a"], [0])], examples=0)
    write_report(tmp_path / "r.html", found)
    _, reader = read(tmp_path / "r.html")
    assert "“alone” reached a complex PSNR of" in reader.text
    assert "Pictures" not in reader.text
    assert "Training" not in reader.text
    assert "Difference to" not in reader.text
    assert "nan" not in reader.text.lower().split()


def test_a_method_that_failed_is_named(evaluation: Evaluation, tmp_path: Path) -> None:
    def failed(measurement):
        yield measurement.adjoint * math.nan

    found = evaluate(
        ways(fine=zero_filled, failed=failed),
        [toy_batch(["a"], [0]), toy_batch(["b"], [0], seed=1)],
    )
    diverged = replace(RUNS[0], losses=(Curve("module 1", [0, 1], [math.nan, math.inf]),))
    write_report(tmp_path / "r.html", found, [diverged])
    _, reader = read(tmp_path / "r.html")
    assert "“fine” came out best" in reader.text or "“fine” reached" in reader.text
    assert "“failed” failed: its images hold values that are not finite." in reader.text


def test_without_matplotlib_it_says_what_to_install(
    evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(BadInput, match=r"pip install -e '\.\[report\]'"):
        write_report(tmp_path / "r.html", evaluation)
    assert not list(tmp_path.iterdir())


def test_long_curves_are_thinned_to_means() -> None:
    curve = thinned(Curve("loss", range(1000), [float(i % 2) for i in range(1000)]), points=100)
    assert len(curve.x) == 100
    assert curve.y == pytest.approx([0.5] * 100)
    assert curve.x[0] == pytest.approx(4.5)


def test_a_plot_has_a_line_per_curve() -> None:
    curves = [Curve("a", [1, 2, 3], [1.0, 2.0, 3.0]), Curve("b", [1], [2.0])]
    plot = line_plot(curves, ["#123456", "#abcdef"], xlabel="step", ylabel="dB")
    assert plot.startswith("<svg")
    assert "#123456" in plot
    assert "#abcdef" in plot
    assert ">step</text>" in plot
    assert plot == line_plot(curves, ["#123456", "#abcdef"], xlabel="step", ylabel="dB")


@pytest.mark.parametrize("count", [1, 8, 9, 20])
def test_no_two_methods_have_one_colour(count: int) -> None:
    colours = method_colours([str(number) for number in range(count)])
    assert len({*colours.values()}) == len(colours) == count


@pytest.fixture(scope="module")
def series_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("series") / "report.html"
    write_report(path, series_evaluation())
    return path


def series_evaluation() -> Evaluation:
    return evaluate(ways(**{"zero-filled": zero_filled}), [toy_series()])


def test_movies_hold_every_frame(series_report: Path) -> None:
    page, reader = read(series_report)
    assert reader.tags.count("button") == 1
    slider = re.search(r'<input type="range" min="0" max="(\d+)"', page)
    assert slider
    assert int(slider[1]) == FRAMES - 1
    movies = re.findall(
        r'<div class="movie" data-across="(\d)" data-down="(\d)" style="aspect-ratio:16/16">'
        r'<img src="data:image/webp;base64,([^"]+)" alt="([^"]+), movie" style="width:300%">',
        page,
    )
    assert [alt.split(",")[0] for *_, alt in movies] == ["Target", "zero-filled", "zero-filled"]
    across, down, target, _ = movies[0]
    assert (across, down) == ("3", "2")
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(target))).convert("L"), float)
    assert sheet.shape == (2 * 16, 3 * 16)
    tiles = sheet.reshape(2, 16, 3, 16).swapaxes(1, 2).reshape(6, 16, 16)
    expected = toy_series().target[1, 0].abs().numpy()
    expected = (expected / pictures.window(series_evaluation().examples[0])).clip(0, 1) * 255
    assert np.abs(tiles - expected).mean() < 4  # WebP may lose a little
    assert tiles[:, 11, 9].std() == pytest.approx(expected[:, 11, 9].std(), rel=0.3)
    assert "x over time (down), y = 11" in reader.text


def test_the_player_is_the_only_script_the_page_allows(series_report: Path, report: Path) -> None:
    page, reader = read(series_report)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    allowed = re.search(r"script-src 'sha256-([^']+)'\">", page)
    assert allowed
    assert base64.b64decode(allowed[1]) == hashlib.sha256(script.encode()).digest()
    assert "prefers-reduced-motion" in script
    assert reader.tags.count("script") == 1
    assert not re.search(r"https?:|@import|fetch\(", page)
    assert "script-src" not in report.read_text()


def test_psnr_is_drawn_over_frames(series_report: Path, report: Path) -> None:
    _, reader = read(series_report)
    assert "Frame by frame" in reader.text
    assert "complex PSNR per frame (dB)" in reader.text
    assert "Frame by frame" not in read(report)[1].text


def test_large_movies_lose_resolution_not_frames() -> None:
    shot = pictures._drawn(torch.rand(5, 600, 700))
    assert (shot.frames, shot.height, shot.width) == (5, 300, 350)


def test_a_volume_is_shown_in_three_planes(tmp_path: Path) -> None:
    scan = simulate_scan((16, 24, 20), 3, 1, 40.0, 0, 1, "volume")
    batches = every_slice([prepared(scan)], MaskRecipe(kind="poisson", acceleration=3))
    write_report(tmp_path / "r.html", evaluate(ways(**{"zero-filled": zero_filled}), batches))
    page, reader = read(tmp_path / "r.html")
    assert len(re.findall(r'<p class="view">([xyz]) = \d+</p>', page)) == 3
    assert reader.tags.count("img") == 3 * 3 + 1 + 1
    assert not {"script", "button"} & set(reader.tags)
