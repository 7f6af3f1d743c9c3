"""What a reader left out is said by every verb that reads a scan."""

import json
from pathlib import Path

import ismrmrd
import numpy as np
import pytest
from scanner import Scanner

from gleam.cli import main

TEXT = "its noise scan has 2 channels, but its lines have 3; it was left out, and coils are not "
TEXT += "whitened"


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    scanner = Scanner()
    scanner.points = [(scanner.voxel(3, -5), 4 + 1j)]
    noise = (ismrmrd.ACQ_IS_NOISE_MEASUREMENT,)
    scanner.acquire(0, data=np.ones((2, 64)), centre=0, flags=noise)
    for line in range(24):
        scanner.acquire(line)
    return scanner.write(tmp_path / "scan.h5")


def test_inspect(scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(scan)]) == 0
    assert f"\nwarning: {TEXT}\n" in capsys.readouterr().out
    assert main(["inspect", str(scan), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["scan"]["warnings"] == facts["example"]["warnings"] == [TEXT]


def test_prepare_also_where_it_was_done_before(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for became in ("1 prepared, 0 kept", "0 prepared, 1 kept"):
        assert main(["prepare", str(scan), str(out)]) == 0
        said = capsys.readouterr().out
        assert said == f"{became}, 0 skipped in {out}\n  warning scan.h5: {TEXT}\n"
        (line,) = (out / "manifest.jsonl").read_text().splitlines()
        assert json.loads(line)["warnings"] == [TEXT]
    assert main(["prepare", str(scan), str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["warnings"] == [TEXT]
    assert main(["inspect", str(out / "scan.h5")]) == 0
    assert f"\nwarning: {TEXT}\n" in capsys.readouterr().out


def test_reconstruct(scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr; also of the scan that coils are calibrated from."""
    command = ["reconstruct", "zero-filled", str(scan), "-o", str(tmp_path / "image.npy")]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert TEXT not in out
    assert err.count(f"gleam: warning: scan: {TEXT}\n") == 1
    assert main([*command, "--reference", str(scan), "--force"]) == 0
    assert f"gleam: warning: scan: its reference: {TEXT}\n" in capsys.readouterr().err
