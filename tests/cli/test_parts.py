"""Files that hold several scans: every verb takes all of them, and says which is which."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scanner import Scanner

from gleam.cli import main
from gleam.data.example import Example, ExampleFile
from gleam.formats import read_scans
from gleam.reconstruction import checked
from gleam.reconstruction.disagreement import Disagreement

PARTS = {"transverse": 2, "coronal": 1}
NAMES = [f"scan-{part}" for part in PARTS]


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A localizer: two slices across z, one across y."""
    scanner = Scanner()
    scanner.points = [(scanner.voxel(3, -5), 4 + 1j)]
    for index, distance in enumerate((0.0, 5.0)):
        for line in range(24):
            scanner.acquire(line, slice=index, distance=distance)
    x, y, z = scanner.directions
    scanner.directions = (x, z, -y)
    for line in range(24):
        scanner.acquire(line, slice=2)
    return scanner.write(tmp_path / "scan.h5")


def test_inspect(scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(scan), "-o", str(tmp_path / "seen.png")]) == 0
    said = capsys.readouterr().out
    assert all(f"scan.h5, part {part}\n" in said for part in PARTS)
    assert sorted(p.name for p in tmp_path.glob("*.png")) == [
        "seen-coronal.png",
        "seen-transverse.png",
    ]
    assert main(["inspect", str(scan), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["part"]: line["scan"]["slices"] for line in lines} == PARTS
    assert main(["inspect", str(scan), "--json", "--part", "coronal"]) == 0
    assert json.loads(capsys.readouterr().out)["scan"]["orientation"]["plane"] == "coronal"


def test_prepare_and_prepare_again(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for became in ("2 prepared, 0 kept", "0 prepared, 2 kept"):
        assert main(["prepare", str(scan), str(out)]) == 0
        assert capsys.readouterr().out == f"{became}, 0 skipped in {out}\n"
        lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
        assert [(line["source"], line["part"]) for line in lines] == [
            ("scan.h5", "coronal"),
            ("scan.h5", "transverse"),
        ]
        assert len({line["sha256"] for line in lines}) == 1
    for name, slices in zip(NAMES, PARTS.values(), strict=True):
        example = ExampleFile(out / f"{name}.h5")
        assert (example.header.name, example.shape[0]) == (name, slices)
    (out / "scan-coronal.h5").unlink()
    assert main(["prepare", str(scan), str(out)]) == 0
    assert "1 prepared, 1 kept" in capsys.readouterr().out


def test_a_part_that_cannot_be_prepared_leaves_the_others(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kspace = np.random.default_rng(0).normal(size=(3, 2, 16, 16, 2)) @ [1, 1j]
    kspace[2, :, :, ::2] = 0  # no centre left
    np.save(tmp_path / "array.npy", kspace.astype(np.complex64))
    out = tmp_path / "out"
    assert main(["prepare", str(tmp_path / "array.npy"), str(out)]) == 0
    said = capsys.readouterr().out
    assert "1 prepared, 0 kept, 1 skipped" in said
    assert "skipped array.npy, part slice2: " in said
    assert ExampleFile(out / "array-slices0-1.h5").shape[0] == 2


def undersampled_parts(path: Path, centre_of_last: bool) -> Path:
    """Three slices of an array; the last, which is sampled otherwise, is a part of its own."""
    kspace = np.random.default_rng(0).normal(size=(3, 4, 32, 32, 2)) @ [1, 1j]
    outside = np.abs(np.arange(32) - 16) > 6
    kspace[:2, :, :, outside & (np.arange(32) % 2 == 0)] = 0
    kspace[2, :, :, (outside | (not centre_of_last)) & (np.arange(32) % 2 == 1)] = 0
    np.save(path, kspace.astype(np.complex64))
    return path


SKIPPED = "array.npy, part slice2: skipped: array-slice2: has no fully sampled centre"


def test_a_part_that_cannot_be_checked_leaves_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(undersampled_parts(tmp_path / "array.npy", centre_of_last=False))
    out, image = tmp_path / "found.json", tmp_path / "where.npy"
    command = ["check", file, "cg-sense", "zero-filled", "--draws", "2", "-o", str(out)]
    assert main([*command, "--map", str(image)]) == 0
    said = capsys.readouterr()
    assert SKIPPED in said.err
    assert said.out.endswith(f"written: {out}, {tmp_path / 'where-slices0-1.npy'}\n")
    assert [check.scan for check in checked.read(out)] == ["array-slices0-1"]
    assert main([*command, "--part", "slice2", "--force"]) == 2
    assert "has no fully sampled centre" in capsys.readouterr().err
    assert [check.scan for check in checked.read(out)] == ["array-slices0-1"]  # as it was


def test_what_a_check_has_found_stays_when_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(undersampled_parts(tmp_path / "array.npy", centre_of_last=True))
    out = tmp_path / "found.json"

    def stops(example: Example) -> Disagreement:
        if out.exists():
            raise KeyboardInterrupt
        return Disagreement(example)

    monkeypatch.setattr("gleam.cli.check.Disagreement", stops)
    assert main(["check", file, "zero-filled", "--draws", "1", "-o", str(out)]) == 130
    assert [check.scan for check in checked.read(out)] == ["array-slices0-1"]


@pytest.mark.parametrize(
    "command",
    [["reconstruct", "cg-sense", "SCAN", "-o", "OUT.npy"], ["view", "SCAN", "-o", "OUT.html"]],
)
def test_a_part_that_cannot_be_reconstructed_leaves_the_others(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = undersampled_parts(tmp_path / "array.npy", centre_of_last=False)
    out = str(tmp_path / "out")
    words = [word.replace("SCAN", str(file)).replace("OUT", out) for word in command]
    assert main(words) == 0
    assert SKIPPED in capsys.readouterr().err
    assert [path.stem for path in tmp_path.glob("out*")] in (["out-slices0-1"], ["out"])


def test_a_reference_of_the_same_parts(scan: Path, tmp_path: Path) -> None:
    """Each part is calibrated by its own: the other lies elsewhere and would be refused."""
    image = str(tmp_path / "image.npy")
    assert main(["reconstruct", "cg-sense", str(scan), "-o", image, "--reference", str(scan)]) == 0


def test_reconstruct(scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["reconstruct", "zero-filled", str(scan), "-o", str(tmp_path / "image.nii.gz")]
    assert main(command) == 0
    for part, read in read_scans(scan).items():
        image = nibabel.load(tmp_path / f"image-{part}.nii.gz")
        affine = np.diag([-1, -1, 1, 1]) @ read().affine
        np.testing.assert_allclose(image.affine, affine, atol=1e-4)
    capsys.readouterr()
    assert main([*command, "--part", "coronal"]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'image.nii.gz'}: 1 × 1 × 16 × 24")


def test_folders_of_dicom_are_told_apart_too(scan: Path, tmp_path: Path) -> None:
    assert main(["reconstruct", "zero-filled", str(scan), "-o", str(tmp_path / "series")]) == 0
    found = {p.name: len([*p.iterdir()]) for p in tmp_path.iterdir() if p.is_dir()}
    assert found == {"series-transverse": 2, "series-coronal": 1}
