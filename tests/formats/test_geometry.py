"""From the raw header to the image files: what lay at a place of the patient is found there.

The scanner writes ISMRMRD with the `ismrmrd` package; nibabel, pydicom and dcm2niix read what
comes of it.
"""

import itertools
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from scanner import OBLIQUE, Scanner
from tiny import ZERO_FILLED

from gleam.cli import main
from gleam.formats import image_writer, read_image, read_scan, write_scan
from gleam.preparation.prepare import Prepared, Settings
from gleam.reconstruction.reconstruct import reconstruct
from gleam.simulation import simulate_from_image

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


TURN = np.stack(OBLIQUE, axis=1)
PLACES = {
    "upright": np.eye(3),
    "as MNI": np.diag([-1.0, 1.0, 1.0]),
    "left-handed, upside down": np.diag([1.0, 1.0, -1.0]),
    "sagittal": np.eye(3)[:, [1, 2, 0]],
    "coronal, mirrored": np.eye(3)[:, [0, 2, 1]] * [-1, 1, -1],
    "oblique": TURN,
    "oblique, left-handed": TURN @ np.diag([1, -1, 1]),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("kind", "suffix"),
    [((9, 10, 12), "cfl"), ((12, 9, 8), "cfl"), ((11, 8, 3, 1), "h5"), ((8, 11, 2, 3), "cfl")],
)
def test_a_simulated_image_lies_where_its_source_lay(
    tmp_path: Path, place: str, kind: tuple[int, ...], suffix: str
) -> None:
    data = np.full(kind, 0.1, np.float32)
    bright = (kind[0] // 2 - 2, kind[1] // 2 + 1, 1)
    data[bright] = 9.0  # in all frames
    affine = np.eye(4)
    affine[:3, :3] = PLACES[place] @ np.diag([1.25, 2.0, 3.0])
    affine[:3, 3] = [-40.7, 12.3, 5.1]
    nibabel.save(nibabel.Nifti1Image(data, affine), tmp_path / "source.nii")
    image = read_image(tmp_path / "source.nii")
    if kind[-1] == 1:  # slices, which NIfTI does not tell from a volume
        image = replace(image, image=image.image[0].swapaxes(0, 1), voxel=(2.0, 1.25, 3.0))
    write_scan(simulate_from_image(image, None, 4, 1e6, 0), tmp_path / f"scan.{suffix}")
    example = Prepared(read_scan(tmp_path / f"scan.{suffix}"), Settings())
    volume = replace(reconstruct(ZERO_FILLED, example), method="zero-filled")
    image_writer(tmp_path / "back.nii")(volume, tmp_path / "back.nii")
    back = nibabel.load(tmp_path / "back.nii")
    np.testing.assert_allclose(back.header.get_zooms()[:3], [1.25, 2.0, 3.0], rtol=1e-5)
    found = np.unravel_index(back.get_fdata().argmax(), back.shape)
    off = np.linalg.inv(affine) @ back.affine @ [*found[:3], 1] - [*bright, 1]
    assert abs(off).max() < 1e-3
