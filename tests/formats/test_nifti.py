import sys

import nibabel
import numpy as np
import pytest

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
    assert nibabel.aff2axcodes(np.diag([-1, -1, 1, 1]) @ np.eye(4)) == ("L", "P", "S")


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
