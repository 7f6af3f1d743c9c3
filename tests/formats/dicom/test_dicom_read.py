from dataclasses import replace

import numpy as np
import pydicom
import pytest
from test_dicom import SHAPES, oblique

from gleam.cli import main
from gleam.errors import BadInput
from gleam.formats import read_image
from gleam.formats.dicom import writer as dicom


@pytest.mark.parametrize("step", [4.0, -4.0])
@pytest.mark.parametrize("kind", SHAPES)
def test_a_series_is_read_as_it_was_written(tmp_path, kind, step):
    thickness = None if kind == "3D" else 3.0
    volume = replace(oblique(kind, step), thickness=thickness)
    dicom.write_image(volume, tmp_path / "series")
    found = read_image(tmp_path / "series")
    given = abs(volume.image)
    if step < 0:  # slices are sorted along their normal
        given = given[:, :, ::-1] if kind == "3D" else given[::-1]
    assert found.image.shape == volume.image.shape
    np.testing.assert_allclose(found.image / found.image.max(), given / given.max(), atol=1e-4)
    assert (found.voxel, found.thickness) == (pytest.approx(volume.voxel), thickness)
    corner = [10, 7, (5 if kind == "3D" else len(volume.image)) - 1, 1]
    last = corner if step > 0 else [10, 7, 0, 1]
    np.testing.assert_allclose(found.affine @ corner, volume.affine @ last, atol=1e-3)


def test_what_is_no_single_series_is_refused(tmp_path, refused):
    folder = tmp_path / "series"
    dicom.write_image(oblique("2D"), folder)
    (folder / "0002.dcm").rename(tmp_path / "second.dcm")
    assert "no even stack" in refused(read_image, folder)
    other = pydicom.dcmread(folder / "0003.dcm")
    other.SeriesInstanceUID = "1.2.3"
    other.save_as(folder / "0003.dcm")
    with pytest.raises(BadInput, match=r"0003\.dcm: does not fit 0001\.dcm"):
        read_image(folder)
    (folder / "0000.dcm").write_bytes(b"no DICOM")
    with pytest.raises(BadInput, match=r"0000\.dcm: not a DICOM image"):
        read_image(folder)


def changed(folder, change):
    """A series of two frames, of which `change` is told each image and its number."""
    dicom.write_image(oblique("cine"), folder)
    for number, file in enumerate(sorted(folder.iterdir())):
        image = pydicom.dcmread(file)
        change(image, number)
        image.save_as(file)


def test_positions_that_jitter_by_rounding_are_one_slice(tmp_path):
    def moved(image, number):  # about the edge between two places of 0.02 mm
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        z = 10.01 + 4 * (number % depth) + (-1) ** number * 1e-4 + 1e-6 * number
        image.ImagePositionPatient = [0, 0, z]

    depth = len(oblique("cine").image)
    changed(tmp_path / "series", moved)
    assert read_image(tmp_path / "series").image.shape == oblique("cine").image.shape


def test_phases_are_not_taken_for_frames_of_magnitudes(tmp_path, refused):
    def of_kind(image, number):
        image.ImageType = ["ORIGINAL", "PRIMARY", "P" if number % 2 else "M", "ND"]

    changed(tmp_path / "series", of_kind)
    assert "magnitude or phase" in refused(read_image, tmp_path / "series")


def test_an_index_and_an_empty_scale_do_not_matter(tmp_path):
    def unscaled(image, number):
        image.RescaleSlope = image.RescaleIntercept = None

    changed(tmp_path / "series", unscaled)
    (tmp_path / "series" / "DICOMDIR").write_bytes(b"an index")
    assert read_image(tmp_path / "series").image.shape == oblique("cine").image.shape


def test_simulate_warns_of_magnitudes(tmp_path, capfd):
    dicom.write_image(oblique("2D"), tmp_path / "series")
    arguments = ["simulate", tmp_path / "scans", "--from", tmp_path / "series"]
    assert main([str(a) for a in arguments]) == 0
    assert "Implicit data crimes" in capfd.readouterr().err
