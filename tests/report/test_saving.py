"""What the page saves: figures as PNG and SVG, tables as CSV and LaTeX."""

import csv
import io
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from looking import pixels
from PIL import Image
from toy_pages import evaluation

from gleam.report.evaluation import write_report


def saved(page: Any, selector: str) -> tuple[str, bytes]:
    with page.expect_download() as waiting:
        page.locator(selector).first.click()
    found = waiting.value
    return found.suggested_filename, Path(found.path()).read_bytes()


def test_the_view_as_png_and_svg(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    name, svg = saved(page, "[data-save=stage-svg]")
    assert name == "scan-0-2.svg"
    root = ElementTree.fromstring(svg)
    assert len(root.findall(".//{*}image")) == 3 + 2
    text = "".join(root.itertext())
    assert "greedy" in text
    assert "28.20 dB" in text
    name, png = saved(page, "[data-save=stage-png]")
    assert name == "scan-0-2.png"
    with Image.open(io.BytesIO(png)) as picture:
        found = np.asarray(picture.convert("L"))
    box = page.locator("#stage .frame").first.bounding_box()
    stage = page.locator("#stage").bounding_box()
    x, y = (2 * (box[side] - stage[side]) for side in ("x", "y"))
    size = 2 * box["width"]
    shown = pixels(page)[..., 0]
    for row, column in ((3, 4), (12, 12), (20, 9)):
        at = int(y + (row + 0.5) * size / 24), int(x + (column + 0.5) * size / 24)
        assert abs(int(found[at]) - int(shown[row, column])) <= 3


def test_plots_as_svg_and_png(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    for kind in ("slices", "scans", "curves"):
        name, svg = saved(page, f"[data-plot={kind}] [data-save=plot-svg]")
        root = ElementTree.fromstring(svg)
        assert name.endswith(".svg")
        assert root.findall(".//{*}path") or root.findall(".//{*}circle")
    _, png = saved(page, "[data-plot=slices] [data-save=plot-png]")
    with Image.open(io.BytesIO(png)) as picture:
        assert np.asarray(picture.convert("L")).std() > 5


def test_tables_as_csv_and_latex(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    name, content = saved(page, "[data-save=csv]")
    assert name == "quality-scans.csv"
    head, *rows = csv.reader(content.decode().splitlines())
    assert head[:3] == ["Method", "Time", "PSNR, complex"]
    assert [row[0] for row in rows] == ["zero-filled", "greedy"]
    assert [row[2] for row in rows] == ["26.50", "29.50"]
    assert re.fullmatch(r"[\d.]+ to [\d.]+", rows[0][3])
    assert all(len(row) == len(head) for row in rows)
    name, content = saved(page, "[data-save=latex]")
    assert name == "quality-scans.tex"
    lines = content.decode().splitlines()
    assert lines[0] == "\\begin{tabular}{lrrrrr}"
    assert lines[-1] == "\\end{tabular}"
    (row,) = (line for line in lines if line.startswith("greedy"))
    assert row.count("&") == 5
    assert "29.50 {\\small (" in row


def test_names_are_safe_in_latex_and_csv(tmp_path: Path, show: Any) -> None:
    found = evaluation(methods=("a_b & 5% <x>, 4×", 'with "quotes"'))
    write_report(tmp_path / "r.html", found)
    page = show(tmp_path / "r.html")
    _, content = saved(page, "[data-save=latex]")
    assert r"a\_b \& 5\% $<$x$>$, 4$\times$ &" in content.decode()
    _, content = saved(page, "[data-save=csv]")
    _, *rows = csv.reader(content.decode().splitlines())
    assert [row[0] for row in rows] == ["a_b & 5% <x>, 4×", 'with "quotes"']
