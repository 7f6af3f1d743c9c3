"""What is said where there are no letters for it, and files whose names are no text."""

import io
import os
from pathlib import Path

import pytest
from tiny import tiny_scan

from gleam.cli import main
from gleam.formats import read_scan, write_scan


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    write_scan(tiny_scan(), tmp_path / "scan.h5")
    return tmp_path / "scan.h5"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_output_without_letters_for_it(
    scan: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr("sys.stdout", out)
    assert main(["inspect", str(scan)]) == 0
    assert main(["--help"]) == 0
    out.seek(0)
    letter = "?" if encoding == "ascii" else "×"
    assert f"24 {letter} 20 (y x)" in out.read()


def test_a_name_that_is_no_text(scan: Path) -> None:
    name = os.fsdecode("Mädchen".encode("latin-1"))
    folder = scan.parent / "scans"
    folder.mkdir()
    try:
        scan.rename(folder / f"{name}.h5")
    except OSError:
        pytest.skip("this file system has text for names")
    out = scan.parent
    assert read_scan(folder / f"{name}.h5").name == "Mädchen"
    assert main(["prepare", str(folder), str(out / "examples")]) == 0
    assert main(["inspect", str(out / "examples" / f"{name}.h5")]) == 0
    assert main(["reconstruct", "zero-filled", str(folder), "--out", str(out / "images")]) == 0
    image = ["reconstruct", "cg-sense", str(folder / f"{name}.h5"), "-o", str(out / f"{name}.npy")]
    assert main([*image, "--acceleration", "1.2"]) == 0
    assert sorted(path.suffix for path in (out / "images").iterdir()) == [".gz", ".jsonl"]
