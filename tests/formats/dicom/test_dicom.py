import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from scipy.spatial.transform import Rotation

from gleam.errors import BadInput, Unwritable
from gleam.formats import Volume, nifti
from gleam.formats.dicom import series as dicom_series
from gleam.formats.dicom import writer as dicom

SHAPES = {"3D": (1, 1, 5, 8, 11), "2D": (4, 1, 8, 11), "cine": (2, 3, 8, 11)}
TURN = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix()


def oblique(kind: str, step: float = 4.0) -> Volume:
    """Random intensities, as small as raw data have them; `step` < 0 stacks slices backwards."""
    affine = np.eye(4)
    affine[:3, :3] = TURN @ np.diag([1.25, 1.5, step])
    affine[:3, 3] = [-31.5, 22.25, 57.125]
    voxel = (abs(step), 1.5, 1.25) if kind == "3D" else (1.5, 1.25, abs(step))
    magnitude = 1e-6 * np.random.default_rng(0).random(SHAPES[kind])
    contrast: dict[str, str | float] = {"TR": 500.0, "TE": 12.5, "TI": 300.0, "flip_angle": 70.0}
    contrast |= {"acquisition": "T2", "field_strength": 2.89362001419}
    if kind == "cine":
        contrast["frame_time"] = 42.5
    image = (magnitude * np.exp(0.7j)).astype(np.complex64)
    return Volume(image, voxel, affine, contrast, "Doe_Jane_knee", "cg-sense")


def written(volume: Volume, folder: Path, *tags: str) -> list[pydicom.Dataset]:
    dicom.write_image(volume, folder, dicom.parse_tags(tags))
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


def place(image: pydicom.Dataset, column: int, row: int) -> np.ndarray:
    """Patient coordinates of a voxel, by equation C.7.6.2.1-1 of the standard."""
    along_row, along_column = np.reshape(image.ImageOrientationPatient, (2, 3)).astype(float)
    between_rows, between_columns = image.PixelSpacing
    return (
        np.array(image.ImagePositionPatient, float)
        + along_row * between_columns * column
        + along_column * between_rows * row
    )


def own_intensities(image: pydicom.Dataset) -> np.ndarray:
    (mapping,) = image.RealWorldValueMappingSequence
    return image.pixel_array * mapping.RealWorldValueSlope + mapping.RealWorldValueIntercept


@pytest.mark.parametrize("step", [4.0, -4.0])
@pytest.mark.parametrize("kind", SHAPES)
def test_voxels_lie_where_nifti_has_them(kind: str, step: float, tmp_path: Path) -> None:
    volume = oblique(kind, step)
    nifti.write_image(volume, tmp_path / "image.nii")
    other = nibabel.load(tmp_path / "image.nii")
    data = other.get_fdata().reshape(11, 8, -1, volume.magnitude.shape[0])
    for number, image in enumerate(written(volume, tmp_path / "series")):
        frame, z = divmod(number, data.shape[2])
        assert (image.Rows, image.Columns) == (8, 11)
        for column, row in ((0, 0), (10, 0), (0, 7), (10, 7)):
            right, front, up, _ = other.affine @ [column, row, z, 1]
            np.testing.assert_allclose(place(image, column, row), [-right, -front, up], atol=1e-4)
        half_a_step = 1.01 * data.max() / 65535 / 2
        np.testing.assert_allclose(own_intensities(image).T, data[:, :, z, frame], atol=half_a_step)


@pytest.mark.parametrize("step", [4.0, -4.0])
@pytest.mark.parametrize("kind", SHAPES)
def test_dcm2niix_makes_the_same_image_of_it(kind: str, step: float, tmp_path: Path) -> None:
    if shutil.which("dcm2niix") is None:
        pytest.skip("dcm2niix is not installed")
    volume = oblique(kind, step)
    images = written(volume, tmp_path / "series")
    command = ["dcm2niix", "-b", "n", "-f", "theirs", "-o", tmp_path, tmp_path / "series"]
    subprocess.run(command, check=True, capture_output=True)
    theirs = nibabel.load(tmp_path / "theirs.nii")
    nifti.write_image(volume, tmp_path / "ours.nii")
    ours = nibabel.load(tmp_path / "ours.nii")

    # It counts voxels from another corner, and in 3D along other axes: each must still lie where
    # one of ours does, and be as bright.
    voxels = np.indices(theirs.shape[:3]).reshape(3, -1)
    across = np.linalg.inv(ours.affine) @ theirs.affine @ np.vstack([voxels, 0 * voxels[:1] + 1])
    at = np.rint(across[:3]).astype(int)
    np.testing.assert_allclose(across[:3], at, atol=1e-3)
    assert len(np.unique(at, axis=1).T) == np.prod(ours.shape[:3])
    (mapping,) = images[0].RealWorldValueMappingSequence
    np.testing.assert_allclose(
        theirs.get_fdata()[*voxels] * mapping.RealWorldValueSlope,
        ours.get_fdata()[*at],
        atol=1e-6 / 65535,
    )


@pytest.mark.parametrize("tags", [[], ["ScanOptions=CG", "PatientID=17", "Laterality=L"]])
@pytest.mark.parametrize("kind", SHAPES)
def test_dciodvfy_finds_no_error(kind: str, tags: list[str], tmp_path: Path) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian: dicom3tools)")
    written(oblique(kind), tmp_path / "series", *tags)
    for path in (tmp_path / "series").iterdir():
        said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
        assert "MRImage" in said.stderr
        assert "Error" not in said.stderr
    entities = ["dcentvfy", *(tmp_path / "series").iterdir()]
    assert not subprocess.run(entities, capture_output=True, check=True).stderr


def test_names_are_in_the_order_of_many_images(tmp_path: Path) -> None:
    one = oblique("2D")
    many = replace(one, image=np.ones((1, 10_001, 1, 1), np.complex64))
    names = []
    with pytest.MonkeyPatch.context() as patched:  # to make so many files takes long
        patched.setattr(dicom_series, "save", lambda _, path: names.append(path.name))
        patched.setattr(dicom_series, "images", lambda *_: iter(range(10_001)))
        dicom.write_image(many, tmp_path / "series")
    assert names == sorted(names)
    assert names[-1] == "10001.dcm"


def test_a_series_of_derived_images_that_are_not_for_diagnosis(tmp_path: Path) -> None:
    images = written(replace(oblique("cine"), thickness=3.5), tmp_path / "series")
    assert [path.name for path in sorted((tmp_path / "series").iterdir())] == [
        f"{number:04}.dcm" for number in range(1, 7)
    ]
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert len({image[keyword].value for image in images}) == 1
    assert len({image.SOPInstanceUID for image in images}) == 6
    for number, image in enumerate(images, 1):
        assert image.file_meta.MediaStorageSOPClassUID == pydicom.uid.MRImageStorage
        assert image.file_meta.MediaStorageSOPInstanceUID == image.SOPInstanceUID
        assert image.InstanceNumber == number
        assert image.ImageType == ["DERIVED", "SECONDARY", "OTHER"]
        assert image.ContentQualification == "RESEARCH"
        assert "ot for diagnosis" in image.SeriesDescription
        assert "ot for diagnosis" in image.ImageComments
        assert "cg-sense" in image.DerivationDescription
        assert (image.RepetitionTime, image.EchoTime, image.FlipAngle) == (500, 12.5, 70)
        assert (image.SliceThickness, image.SpacingBetweenSlices) == (3.5, 4)


def test_thickness_of_slices_is_said_where_it_is_known(tmp_path: Path) -> None:
    for number, (kind, thickness) in enumerate({"3D": 4, "2D": None}.items()):
        for image in written(oblique(kind), tmp_path / str(number)):
            assert (image.SliceThickness, image.SpacingBetweenSlices) == (thickness, 4)


def test_nobody_is_named_unless_the_user_does(tmp_path: Path) -> None:
    volume = oblique("2D")
    for image in written(volume, tmp_path / "nobody"):
        for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate"):
            assert not image[keyword].value
        assert "Jane" not in str(image)  # nor the scan's name
    study = pydicom.uid.generate_uid()
    said = ["PatientName=Müller^Jörg", "PatientBirthDate=19700131", f"StudyInstanceUID={study}"]
    for image in written(volume, tmp_path / "somebody", *said, "SeriesNumber=7"):
        assert image.PatientName == "Müller^Jörg"
        assert image.PatientBirthDate == "19700131"
        assert image.StudyInstanceUID == study
        assert image.SeriesNumber == 7


def test_frames_are_temporal_positions(tmp_path: Path) -> None:
    images = written(oblique("cine"), tmp_path / "series")
    assert [image.TemporalPositionIdentifier for image in images] == [1, 1, 2, 2, 3, 3]
    assert {image.NumberOfTemporalPositions for image in images} == {3}
    assert {image.TemporalResolution for image in images} == {42.5}
    assert not any("TriggerTime" in image for image in images)
    images = written(oblique("cine"), tmp_path / "gated", "ScanOptions=CG")
    assert [image.TriggerTime for image in images] == [0, 0, 42.5, 42.5, 85, 85]
    assert not any(
        "TemporalPositionIdentifier" in i for i in written(oblique("2D"), tmp_path / "2")
    )


def test_window_is_one_that_viewers_can_show(tmp_path: Path) -> None:
    volume = oblique("2D")
    spiked = volume.image.copy()
    spiked[0, 0, 0, 0] = 1e-3
    for image in written(replace(volume, image=spiked), tmp_path / "spiked"):
        assert image.WindowWidth >= 1  # as C.11.2.1.2.1 demands
        assert image.WindowWidth == pytest.approx(2 * image.WindowCenter, abs=1)
        assert image.WindowWidth < 100
    for image in written(replace(volume, image=0 * spiked), tmp_path / "empty"):
        assert not image.pixel_array.any()
        assert image.WindowWidth >= 1


def test_a_file_holds_one_image(tmp_path: Path) -> None:
    volume = oblique("2D")
    one = replace(volume, image=volume.image[:1])
    dicom.write_image(one, tmp_path / "one.dcm")
    assert pydicom.dcmread(tmp_path / "one.dcm").InstanceNumber == 1
    with pytest.raises(BadInput, match=r"all.dcm: .* this scan makes 4; give a folder, .*all/$"):
        dicom.write_image(volume, tmp_path / "all.dcm")
    assert [path.name for path in tmp_path.iterdir()] == ["one.dcm"]


def test_what_is_there_is_not_replaced(tmp_path: Path) -> None:
    volume = oblique("2D")
    mine = tmp_path / "mine"
    mine.mkdir()
    assert len(written(volume, mine)) == 4  # it was empty
    before = {path: path.read_bytes() for path in mine.iterdir()}
    (tmp_path / "file").write_text("somebody's")
    for path in (mine, tmp_path / "file"):
        with pytest.raises(BadInput, match="is there already"):
            dicom.write_image(volume, path)
    assert {path: path.read_bytes() for path in mine.iterdir()} == before
    assert (tmp_path / "file").read_text() == "somebody's"
    dicom.write_image(volume, mine, force=True)
    (mine / "letter.txt").touch()
    with pytest.raises(BadInput, match="is there already, and no DICOM series"):
        dicom.write_image(volume, mine, force=True)
    assert (mine / "letter.txt").exists()


def test_all_files_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save = dicom_series.save

    def full_disk(image: pydicom.Dataset, path: Path) -> None:
        if image.InstanceNumber == 3:
            raise OSError(28, "No space left on device")
        save(image, path)

    monkeypatch.setattr(dicom_series, "save", full_disk)
    with pytest.raises(Unwritable, match="No space left"):
        dicom.write_image(oblique("2D"), tmp_path / "series")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "spoilt", [np.diag([1.0, 0, 1, 1]), np.eye(4) + 0.1 * np.eye(4, k=1), np.full((4, 4), np.nan)]
)
def test_axes_that_dicom_cannot_hold(spoilt: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="DICOM"):
        dicom.write_image(replace(oblique("2D"), affine=spoilt), tmp_path / "series")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("Rosa Doe", "KEYWORD=VALUE"),
        ("PatientNam=Rosa", "did you mean PatientName?"),
        ("SOPClassUID=1.2.3", "'SOPClassUID' cannot be said"),
        ("PixelData=Rosa", "'PixelData' cannot be said"),
        ("PatientBirthDate=31.1.1970", "PatientBirthDate is a date"),
        ("PatientSex=female", "PatientSex is a code"),
        ("PatientWeight=Rosa", "PatientWeight is a number"),
        ("SeriesNumber=1.5", "SeriesNumber is a whole number"),
        ("StudyInstanceUID=Rosa", "StudyInstanceUID is a UID"),
        ("PatientAge=33", "PatientAge is an age"),
        ("PatientID=Rosa\\Doe", "PatientID is a text"),
        ("PatientID=Rosa\n", "PatientID is a text"),
        (f"PatientName={'Rosa' * 17}", "PatientName is a name"),
    ],
)
def test_tags_that_cannot_be_said(said: str, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        dicom.parse_tags([said])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Rosa" not in str(caught.value)
    assert "1970" not in str(caught.value)


def test_without_pydicom_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    for call in (lambda: dicom.check(tmp_path / "series", 1), lambda: dicom.parse_tags([])):
        with pytest.raises(BadInput, match=r"\.\[dicom\]"):
            call()


def test_kinds_of_values_are_the_dictionarys() -> None:
    for keyword, kind in dicom.TAGS.items():
        tag = pydicom.datadict.tag_for_keyword(keyword)
        assert tag is not None
        assert pydicom.datadict.dictionary_VR(tag) == kind
