"""From the raw header to the image files: what lay at a place of the patient is found there.

The scanner writes ISMRMRD with the `ismrmrd` package; nibabel, pydicom and dcm2niix read what
comes of it.
"""

import itertools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from scanner import OBLIQUE, Scanner

from gleam.cli import main

SLICES, DISTANCE = 5, 7.0


def corners(scanner: Scanner, depth: range) -> list[tuple[int, ...]]:
    """The outermost voxels of the image, counted from the centre, and one beside the centre."""
    sides = [(-(n // 2), n - n // 2 - 1) for n in scanner.recon[:2]]
    return [*itertools.product(*sides, (depth[0], depth[-1])), (1, -2, depth[len(depth) // 2])]


@pytest.fixture(params=["3D", "2D"])
def raw(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A raw file and the places (point, 3) of its bright points, LPS, brightest last."""
    if request.param == "3D":
        scanner = Scanner(
            encoded=(32, 20, 12),
            recon=(16, 20, 12),
            fov=(64.0, 40.0, 36.0),
            recon_fov=(32.0, 40.0, 36.0),
            directions=OBLIQUE,
        )
        voxels = corners(scanner, range(-6, 6))
        places = [scanner.voxel(*voxel) for voxel in voxels]
        scanner.points = [(place, 4 + n) for n, place in enumerate(places)]
        for partition, line in itertools.product(range(12), range(20)):
            scanner.acquire(line, partition)
    else:
        scanner = Scanner(directions=OBLIQUE)
        voxels = corners(scanner, range(SLICES))
        places = [scanner.voxel(x, y, distance=DISTANCE * z) for x, y, z in voxels]
        for index in (0, 2, 4, 1, 3):
            faint = (scanner.voxel(0, 0, distance=DISTANCE * index), 0.1)
            scanner.points = [faint] + [
                (place, 4 + n)
                for n, (place, (*_, z)) in enumerate(zip(places, voxels, strict=True))
                if z == index
            ]
            for line in range(24):
                scanner.acquire(line, distance=DISTANCE * index, slice=index)
    return scanner.write(tmp_path / "raw.h5"), np.array(places)


def reconstructed(source: Path, name: str) -> Path:
    out = source.parent / name
    assert main(["reconstruct", "zero-filled", str(source), "-o", str(out)]) == 0
    return out


def nifti_points(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    """Value and place (LPS) of every voxel."""
    image = nibabel.load(path)
    for voxel, value in np.ndenumerate(image.get_fdata()):
        yield value, np.diag([-1, -1, 1, 1])[:3] @ image.affine @ [*voxel, 1]


def dicom_points(folder: Path) -> Iterator[tuple[float, np.ndarray]]:
    for path in folder.iterdir():
        image = pydicom.dcmread(path)
        along_row, along_column = np.reshape(image.ImageOrientationPatient, (2, 3)).astype(float)
        down, across = image.PixelSpacing
        for (row, column), value in np.ndenumerate(image.pixel_array):
            place = along_row * across * column + along_column * down * row
            yield value, np.array(image.ImagePositionPatient, float) + place


def brightest(points: Iterator[tuple[float, np.ndarray]], count: int) -> np.ndarray:
    """The places of the brightest voxels, which stand out, brightest last."""
    ranked = sorted(points, key=lambda point: point[0])
    assert ranked[-count][0] > 5 * ranked[-count - 1][0]
    return np.array([place for _, place in ranked[-count:]])


def test_what_was_scanned_is_found_where_it_lay(raw: tuple[Path, np.ndarray]) -> None:
    source, places = raw
    volume = reconstructed(source, "image.nii.gz")
    series = reconstructed(source, "series")
    for points in (nifti_points(volume), dicom_points(series)):
        np.testing.assert_allclose(brightest(points, len(places)), places, atol=1e-3)


def test_dcm2niix_finds_it_there_too(raw: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    if shutil.which("dcm2niix") is None:
        pytest.skip("dcm2niix is not installed")
    source, places = raw
    series = reconstructed(source, "series")
    command = ["dcm2niix", "-b", "n", "-f", "theirs", "-o", tmp_path, series]
    subprocess.run(command, check=True, capture_output=True)
    points = nifti_points(tmp_path / "theirs.nii")
    np.testing.assert_allclose(brightest(points, len(places)), places, atol=1e-3)
