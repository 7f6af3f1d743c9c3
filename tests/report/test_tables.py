import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from toy_test_set import FRAMES, toy_series, ways, zero_filled

from gleam.errors import BadInput
from gleam.evaluation.evaluate import evaluate
from gleam.evaluation.result import Evaluation
from gleam.evaluation.scores import METRICS
from gleam.evaluation.statistics import Estimate
from gleam.evaluation.summary import summarise
from gleam.report.tables import formatted, terminal_table, write_tables


def test_csv_has_every_score(evaluation: Evaluation, tmp_path: Path) -> None:
    write_tables(evaluation, tmp_path / "new" / "folder")
    with (tmp_path / "new/folder/metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["method", "scan", "slice", *METRICS]
    assert len(rows) == 10
    for row, score in zip(rows, evaluation.slices, strict=True):
        assert (row["method"], row["scan"]) == (score.method, score.scan)
        assert int(row["slice"]) == score.slice
        assert float(row["ssim"]) == score.ssim
    with (tmp_path / "new/folder/scans.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["method", "scan", *METRICS]
    assert [float(row["psnr_complex"]) for row in rows] == [
        score.psnr_complex for score in evaluation.scans
    ]


def test_series_have_a_row_per_frame(tmp_path: Path) -> None:
    found = evaluate(ways(**{"zero-filled": zero_filled}), [toy_series()])
    write_tables(found, tmp_path)
    with (tmp_path / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["method", "scan", "slice", "frame", "psnr"]
    assert len(rows) == 2 * FRAMES
    assert [float(row["psnr"]) for row in rows] == [score.psnr for score in found.frames]


def test_json_has_means_intervals_and_differences(evaluation: Evaluation, tmp_path: Path) -> None:
    write_tables(evaluation, tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["scans"], summary["slices"]) == (3, 5)
    own = [s.nmse for s in evaluation.scans if s.method == "zero-filled"]
    mean = summary["per_scan"]["means"]["zero-filled"]["nmse"]
    assert mean["mean"] == pytest.approx(sum(own) / 3)
    assert mean["low"] < mean["mean"] < mean["high"]
    assert mean["scans"] == 3
    (difference,) = summary["per_slice"]["differences"]
    assert (difference["method"], difference["minus"]) == ("zero-filled", "<b>shrunk</b> & more")
    means = summary["per_slice"]["means"]
    assert difference["ssim"]["mean"] == pytest.approx(
        means["zero-filled"]["ssim"]["mean"] - means["<b>shrunk</b> & more"]["ssim"]["mean"]
    )
    assert len(summary["psnr_complex_after_iteration"]["<b>shrunk</b> & more"]) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "metrics.csv",
        "scans.csv",
        "summary.json",
    ]


def test_json_is_strict_where_numbers_are_not_finite(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    failed = [replace(score, psnr_complex=-math.inf) for score in evaluation.scans]
    write_tables(replace(evaluation, scans=failed), tmp_path)
    text = (tmp_path / "summary.json").read_text()
    assert "Infinity" not in text
    assert "NaN" not in text
    means = json.loads(text)["per_scan"]["means"]
    assert means["zero-filled"]["psnr_complex"]["mean"] is None


def test_what_stands_in_the_way_is_bad_input(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "summary.json").mkdir()
    with pytest.raises(BadInput, match=r"summary\.json: cannot be written"):
        write_tables(evaluation, tmp_path)


def test_terminal_table(evaluation: Evaluation) -> None:
    file = io.StringIO()
    Console(width=80, file=file).print(terminal_table(evaluation))
    text = file.getvalue()
    assert "<b>shrunk</b> & more" in text
    assert "seconds" in text
    first = summarise(evaluation.scans).means["zero-filled"]["psnr_complex"]
    assert f"{first.mean:.2f}" in text
    assert f"± {(first.high - first.low) / 2:.2f}" in text
    assert "per slice" in text


def test_terminal_table_has_the_best_of_each_metric_in_bold(evaluation: Evaluation) -> None:
    columns = terminal_table(evaluation).columns[1 : 1 + len(METRICS)]
    best = evaluation.methods.index("zero-filled")
    assert len(columns) == len(METRICS)
    for column in columns:
        bold = [any(span.style == "bold" for span in cell.spans) for cell in column.cells]
        assert bold == [number == best for number in range(len(evaluation.methods))]


def test_formatted() -> None:
    metric = METRICS["psnr_complex"]
    assert formatted(Estimate(1.234, -0.5, 2.0, 9), metric, "+") == ("+1.23", "−0.50 to +2.00")
    assert formatted(Estimate(31.4, math.nan, math.nan, 1), metric) == ("31.40", "")


def test_difference_can_be_read_both_ways(evaluation: Evaluation) -> None:
    summary = summarise(evaluation.scans)
    a, b = evaluation.methods
    forth, back = summary.difference(a, b, "nmse"), summary.difference(b, a, "nmse")
    assert (forth.mean, forth.low, forth.high) == (-back.mean, -back.high, -back.low)
    assert back.low < back.mean < back.high
    # The first is better: more PSNR, less NMSE.
    assert summary.best("psnr_complex") == summary.best("nmse") == "zero-filled"
