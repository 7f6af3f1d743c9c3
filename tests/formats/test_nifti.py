import sys

import nibabel
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gleam.errors import BadInput
from gleam.formats import nifti
from gleam.formats.volume import Volume

# Oblique on purpose: x, y, z steps of 2, 3 and 5 mm, turned about z, anywhere.
TURN = np.array([[0.8, -0.6, 0, -7], [0.6, 0.8, 0, 11], [0, 0, 1, 13], [0, 0, 0, 1]])
AFFINE = TURN @ np.diag([2.0, 3.0, 5.0, 1.0])


def test_a_voxel_lands_where_it_was(tmp_path):
    image = np.zeros((4, 1, 6, 9), np.complex64)  # slice frame y x
    image[3, 0, 2, 7] = 3 - 4j
    nifti.write_image(Volume(image, (3.0, 2.0, 5.0), AFFINE), tmp_path / "image.nii.gz")
    read = nibabel.load(tmp_path / "image.nii.gz")
    data = read.get_fdata()
    assert data.shape == (9, 6, 4)
    assert read.get_data_dtype() == np.float32
    assert data[7, 2, 3] == 5
    assert data.sum() == 5
    left, posterior, superior, _ = AFFINE @ [7, 2, 3, 1]
    for affine in (read.affine, read.get_qform(), read.get_sform()):
        np.testing.assert_allclose(
            affine @ [7, 2, 3, 1], [-left, -posterior, superior, 1], rtol=1e-5
        )
    np.testing.assert_allclose(read.header.get_zooms(), (2, 3, 5), rtol=1e-6)


def test_axes_point_where_the_patients_do(tmp_path):
    """LPS in: x to the left, y to the back, z to the head."""
    image = np.ones((4, 1, 6, 9), np.complex64)
    nifti.write_image(Volume(image, (1.0, 1.0, 1.0), np.eye(4)), tmp_path / "image.nii")
    read = nibabel.load(tmp_path / "image.nii")
    assert nibabel.aff2axcodes(read.affine) == ("L", "P", "S")


@pytest.mark.parametrize("step", [5.0, -5.0])
def test_qform_and_sform_say_the_same_of_any_oblique_grid(tmp_path, step):
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", [20, -35, 50], degrees=True)
    affine[:3, :3] = turn.as_matrix() @ np.diag([2.0, 3.0, step])
    affine[:3, 3] = [-100, 80, 60]
    image = np.ones((4, 1, 6, 9), np.complex64)
    nifti.write_image(Volume(image, (3.0, 2.0, 5.0), affine), tmp_path / "image.nii")
    read = nibabel.load(tmp_path / "image.nii")
    for form, code in (read.get_qform(coded=True), read.get_sform(coded=True)):
        assert code == 1
        np.testing.assert_allclose(form, np.diag([-1, -1, 1, 1]) @ affine, atol=1e-4)


@pytest.mark.parametrize(
    ("frames", "frame_time", "units", "zoom"),
    [(3, 42.5, ("mm", "sec"), 0.0425), (3, None, ("mm", "unknown"), 1), (1, 42.5, ("mm",), None)],
)
def test_time_has_a_unit_where_it_is_known(tmp_path, frames, frame_time, units, zoom):
    image = np.ones((4, frames, 6, 9), np.complex64)
    contrast = {} if frame_time is None else {"frame_time": frame_time}
    volume = Volume(image, (3.0, 2.0, 5.0), AFFINE, contrast, method="cg-sense")
    nifti.write_image(volume, tmp_path / "image.nii")
    header = nibabel.load(tmp_path / "image.nii").header
    assert header.get_xyzt_units()[: len(units)] == units
    assert header.get_zooms()[3:] == (() if zoom is None else (pytest.approx(zoom),))
    assert header["descrip"].item() == b"not for diagnosis: GLEAM cg-sense"


@pytest.mark.parametrize("shape", [(4, 3, 6, 9), (1, 3, 4, 6, 9)])
def test_frames_are_the_last_axis(tmp_path, shape):
    image = np.arange(np.prod(shape)).reshape(shape).astype(np.complex64)
    nifti.write_image(Volume(image, (3.0, 2.0, 5.0), AFFINE), tmp_path / "image.nii")
    data = nibabel.load(tmp_path / "image.nii").get_fdata()
    assert data.shape == (9, 6, 4, 3)
    at = (0, 2, 3, 1, 7) if len(shape) == 5 else (3, 2, 1, 7)
    assert data[7, 1, 3, 2] == abs(image[at])


def test_without_nibabel_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nibabel", None)
    volume = Volume(np.ones((1, 1, 2, 2), np.complex64), (1.0, 1.0, 1.0), np.eye(4))
    with pytest.raises(BadInput, match=r"gleam-mri\[nifti\]"):
        nifti.write_image(volume, tmp_path / "image.nii")
