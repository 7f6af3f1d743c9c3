"""Against scikit-image, as fastMRI's evaluate.py calls it."""

import csv
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from tiny import example_files

from gleam.cli import main
from gleam.errors import BadInput
from gleam.evaluation.fastmri import Reference, fastmri_score


def expected(target: np.ndarray, found: np.ndarray) -> dict[str, float]:
    size = target.shape[-1]
    target, found = (
        x[:, (x.shape[1] - size) // 2 :, (x.shape[2] - size) // 2 :][:, :size, :size]
        for x in (target, found)
    )
    maximum = target.max()
    slices = [
        structural_similarity(a, b, data_range=maximum) for a, b in zip(target, found, strict=True)
    ]
    return {
        "mse": np.mean((target - found) ** 2),
        "nmse": np.linalg.norm(target - found) ** 2 / np.linalg.norm(target) ** 2,
        "psnr": peak_signal_noise_ratio(target, found, data_range=maximum),
        "ssim": np.mean(slices),
    }


@pytest.mark.parametrize("shape", [(3, 20, 20), (2, 25, 18)])
def test_scores(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    target = rng.random(shape).astype(np.float32) * 1e-4
    found = target + 1e-5 * rng.random(shape).astype(np.float32)
    reference = Reference(torch.from_numpy(target), 1e-4)
    score = fastmri_score("m", "s", torch.from_numpy(found / np.float32(1e-4)), reference)
    for metric, value in expected(target, found).items():
        assert getattr(score, metric) == pytest.approx(value, rel=1e-3), metric


def test_other_slices_are_refused() -> None:
    with pytest.raises(BadInput, match="reconstruction_rss"):
        fastmri_score("m", "s", torch.ones(2, 9, 9), Reference(torch.ones(3, 9, 9), 1.0))


def test_what_reconstruct_writes_has_the_scores_that_evaluate_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The way a submission goes, with others' metrics; masks are those of evaluate."""
    examples = example_files(tmp_path, scans=1)
    raw, out = tmp_path / "scans", tmp_path / "evaluation"
    mask = ["--mask.acceleration", "2"]
    command = ["evaluate", "--data", str(examples), "--out", str(out), "--raw", str(raw), *mask]
    assert main(command) == 0
    assert "as fastMRI scores, zero-filled: MSE" in capsys.readouterr().out
    rows = {
        row["method"]: row for row in csv.DictReader((out / "fastmri.csv").read_text().splitlines())
    }
    image = tmp_path / "image.h5"
    command = ["reconstruct", "zero-filled", str(raw / "scan-0.h5"), "-o", str(image)]
    assert main([*command, "--format", "fastmri", "--acceleration", "2"]) == 0
    with h5py.File(raw / "scan-0.h5") as file, h5py.File(image) as written:
        scores = expected(file["reconstruction_rss"][()], written["reconstruction"][()])
    for metric, value in scores.items():
        assert float(rows["zero-filled"][metric]) == pytest.approx(value, rel=1e-2), metric
    means = json.loads((out / "summary.json").read_text())["fastmri"]
    assert means["zero-filled"]["ssim"] == float(rows["zero-filled"]["ssim"])


def test_a_folder_without_raw_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples = example_files(tmp_path, scans=1)
    command = ["evaluate", "--data", str(examples), "--raw", str(tmp_path)]
    assert main([*command, "--out", str(tmp_path / "out"), "--mask.acceleration", "2"]) == 2
    assert "holds no raw file" in capsys.readouterr().err
