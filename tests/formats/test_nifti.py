import gzip
import sys
from contextlib import suppress

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
    with pytest.raises(BadInput, match=r"\.\[nifti\]"):
        nifti.write_image(volume, tmp_path / "image.nii")


def test_images_come_back_as_they_were_written(tmp_path):
    rng = np.random.default_rng(0)
    for shape, voxel in [((1, 1, 5, 6, 9), (5.0, 3.0, 2.0)), ((4, 3, 6, 9), (3.0, 2.0, 5.0))]:
        image = rng.uniform(0, 9, shape).astype(np.complex64)
        given = Volume(image, voxel, AFFINE)
        for name in ("image.nii", "image.nii.gz"):
            nifti.write_image(given, tmp_path / name)
            found = nifti.read_image(tmp_path / name)
            np.testing.assert_array_equal(found.image, image)
            np.testing.assert_allclose(found.affine, AFFINE, rtol=1e-5, atol=1e-5)
            assert found.voxel == pytest.approx(voxel)
            assert found.name == "image"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((9, 6), (1, 1, 6, 9)),
        ((9, 6, 1), (1, 1, 6, 9)),
        ((9, 6, 4), (1, 1, 4, 6, 9)),
        ((9, 6, 1, 5), (1, 5, 6, 9)),
        ((9, 6, 4, 5), (4, 5, 6, 9)),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64, np.complex64])
def test_axes_and_numbers_of_others_files(tmp_path, shape, expected, dtype):
    data = (np.arange(np.prod(shape)) % 100).reshape(shape).astype(dtype)
    file = nibabel.Nifti1Image(data, np.eye(4))
    file.header.set_slope_inter(2, 1)
    nibabel.save(file, tmp_path / "image.nii.gz")
    found = nifti.read_image(tmp_path / "image.nii.gz").image
    assert found.shape == expected
    stored = np.asarray(nibabel.load(tmp_path / "image.nii.gz").dataobj)
    z, t = (2, 1) if len(expected) == 5 else (0, 1)
    for x, y in [(1, 2), (8, 5)]:
        last = [n - 1 for n in shape[2:]]
        where = dict.fromkeys(range(len(expected)), 0)
        where |= dict(zip((z, t), last, strict=False))
        where |= {len(expected) - 1: x, len(expected) - 2: y}
        assert found[tuple(where.values())] == stored[(x, y, *last)]


def refused(path):
    with pytest.raises(BadInput) as error:
        nifti.read_image(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_broken_files_are_refused_in_one_line(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.ones((9, 6, 4)), np.eye(4)), tmp_path / "image.nii")
    whole = (tmp_path / "image.nii").read_bytes()
    path = tmp_path / "spoilt.nii"
    for content in (b"", b"NIfTI", whole[:200], whole[:-8], bytes(len(whole))):
        path.write_bytes(content)
        assert "not a NIfTI image" in refused(path)
    packed = tmp_path / "spoilt.nii.gz"
    for content in (whole, gzip.compress(whole)[:-30], b"\x1f\x8b" + bytes(40)):
        packed.write_bytes(content)
        assert "not a NIfTI image" in refused(packed)
    for index in range(0, 348, 2):  # each number of the header
        path.write_bytes(whole[:index] + b"\xff\x7f" + whole[index + 2 :])
        with suppress(BadInput):
            nifti.read_image(path)


def test_sizes_that_the_file_does_not_hold(tmp_path, monkeypatch):
    """Refused before memory is taken."""
    file = nibabel.Nifti1Image(np.ones((9, 6, 4), np.float32), np.eye(4))
    nibabel.save(file, tmp_path / "image.nii")
    spoilt = bytearray((tmp_path / "image.nii").read_bytes())
    spoilt[42:48] = np.array([30000, 30000, 30000], "<i2").tobytes()
    for name, content in [("a.nii", bytes(spoilt)), ("a.nii.gz", gzip.compress(bytes(spoilt)))]:
        (tmp_path / name).write_bytes(content)
        monkeypatch.setattr(np, "asarray", lambda *_: pytest.fail("the data were read"))
        assert "not a NIfTI image" in refused(tmp_path / name)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_values_that_are_not_finite(tmp_path, value):
    data = np.full((9, 6, 4), value, np.float32)
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), tmp_path / "image.nii")
    assert "finite numbers" in refused(tmp_path / "image.nii")


def test_colours_and_five_axes_are_refused(tmp_path):
    colours = np.zeros((9, 6, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(colours, np.eye(4)), tmp_path / "image.nii")
    assert "plain numbers" in refused(tmp_path / "image.nii")
    nibabel.save(nibabel.Nifti1Image(np.ones((9, 6, 2, 2, 2)), np.eye(4)), tmp_path / "image.nii")
    assert "expected (x, y), (x, y, z)" in refused(tmp_path / "image.nii")


def test_real_brain(shared_data):
    found = nifti.read_image(shared_data / "brain_T1_colin27_ch2.nii.gz")
    assert found.image.shape == (1, 1, 181, 217, 181)
    assert abs(found.image).max() == 254
    assert found.voxel == (1, 1, 1)
    np.testing.assert_allclose(found.affine @ [90, 125, 71, 1], [0, 0, 0, 1])


def test_version_2_is_read(tmp_path):
    numbers = np.random.default_rng(0).random((5, 6, 7), np.float32)
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    nibabel.save(nibabel.Nifti2Image(numbers, affine), tmp_path / "image.nii.gz")
    found = nifti.read_image(tmp_path / "image.nii.gz")
    np.testing.assert_allclose(found.image[0, 0], numbers.T, rtol=1e-6)
