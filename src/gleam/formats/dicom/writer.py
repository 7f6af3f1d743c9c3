"""DICOM images out: one series of MR images, a file for each slice and frame.

- A name that ends in .dcm is a file with one image. Any other is a folder of nothing else:
  0001.dcm, 0002.dcm, … run over the slices (z in 3D) of the first frame, then of the next.
- Classic MR Image Storage, which every archive takes, in explicit little endian.
- Every image is marked as derived and as not for diagnosis; `gleam.formats.dicom.series` says how.
- Patient and study are empty, UIDs new, unless the user says them: `TAGS`.

Needs pydicom (the extra `dicom`).
"""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from gleam.errors import BadInput
from gleam.files import check_new, replacing
from gleam.formats.volume import Volume
from gleam.words import nearest, not_installed

# What a user may say, and which kind of value it is; all else the image says of itself.
TAGS = {
    "PatientName": "PN",
    "PatientID": "LO",
    "PatientBirthDate": "DA",
    "PatientSex": "CS",
    "PatientAge": "AS",
    "PatientSize": "DS",
    "PatientWeight": "DS",
    "PatientPosition": "CS",
    "BodyPartExamined": "CS",
    "Laterality": "CS",
    "InstitutionName": "LO",
    "ReferringPhysicianName": "PN",
    "AccessionNumber": "SH",
    "StudyID": "SH",
    "StudyInstanceUID": "UI",
    "StudyDate": "DA",
    "StudyTime": "TM",
    "StudyDescription": "LO",
    "SeriesNumber": "IS",
    "SeriesDescription": "LO",
    "ProtocolName": "LO",
    "AcquisitionDate": "DA",
    "AcquisitionTime": "TM",
    "ScanOptions": "CS",
    "FrameOfReferenceUID": "UI",
}
_KINDS = {
    "AS": "an age, such as 034Y",
    "CS": "a code of at most 16 capital letters, digits and spaces",
    "DA": "a date, such as 20240131",
    "DS": "a number of at most 16 characters",
    "IS": "a whole number",
    "LO": "a text of at most 64 characters without \\",
    "PN": "a name, such as Doe^Jane, of at most 64 characters",
    "SH": "a text of at most 16 characters without \\",
    "TM": "a time, such as 143000",
    "UI": "a UID, such as 1.2.840.99",
}


def write_image(
    volume: Volume,
    path: Path,
    tags: Mapping[str, str] = MappingProxyType({}),
    force: bool = False,
) -> None:
    """Write the magnitude: all files or none.

    Args:
        volume: the image.
        path: a folder, or a .dcm file.
        tags: what the user says, from `parse_tags`.
        force: replace what is there, but nothing that is no DICOM.

    Raises:
        BadInput: see `check`; or DICOM cannot hold the image's axes, or the folder cannot be
            written to.
    """
    count = math.prod(volume.image.shape[:-2])
    check(path, count, force)
    from gleam.formats.dicom import series as dicom_series

    images = dicom_series.images(volume, tags)
    with replacing(path) as temporary:
        if _is_file(path):
            dicom_series.save(next(images), temporary)
            return
        temporary.mkdir()
        digits = max(4, len(str(count)))  # so that names are in the images' order
        for number, image in enumerate(images, 1):
            dicom_series.save(image, temporary / f"{number:0{digits}}.dcm")


def check(path: Path, images: int, force: bool = False) -> None:
    """Refuse a path before any work is done for it.

    Raises:
        BadInput: pydicom is not installed, a file would have to hold several images, or the folder
            holds something that is not to be replaced.
    """
    _need_pydicom()
    if _is_file(path):
        if images > 1:
            raise BadInput(
                f"{path}: a DICOM file holds one image and this scan makes {images}; give a "
                f"folder, {path.with_suffix('')}/"
            )
    elif path.exists() and not (path.is_dir() and all(p.suffix == ".dcm" for p in path.iterdir())):
        raise BadInput(f"{path}: is there already, and no DICOM series; give a new folder")
    check_new(path, force)


def _is_file(path: Path) -> bool:
    """Whether a path is that of a file: a folder that is named after a scan may have dots, too."""
    return path.suffix.lower() == ".dcm"


def parse_tags(pairs: Iterable[str]) -> dict[str, str]:
    """The values that a user says, `KEYWORD=VALUE`, by keyword.

    Raises:
        BadInput: pydicom is not installed; not of this form, none of `TAGS`, or a value that the
            DICOM standard does not allow. No message repeats a value: it may be a patient's.
    """
    _need_pydicom()
    from pydicom.config import RAISE
    from pydicom.valuerep import validate_value

    tags = {}
    for word in pairs:
        keyword, equals, value = word.partition("=")
        if not equals:
            raise BadInput("--tag: takes KEYWORD=VALUE, such as PatientID=17")
        if keyword not in TAGS:
            raise BadInput(f"--tag: {keyword!r} cannot be said; {nearest(keyword, TAGS)}")
        kind = TAGS[keyword]
        try:
            validate_value(kind, value, RAISE)
            fits = value.isprintable() and "\\" not in value
        except ValueError:
            fits = False
        if not fits:
            raise BadInput(f"--tag: {keyword} is {_KINDS[kind]}; what was given is not")
        tags[keyword] = value
    return tags


def _need_pydicom() -> None:
    try:
        import pydicom  # noqa: F401
    except ImportError as error:
        raise BadInput(f"writing DICOM {not_installed('pydicom', 'dicom')}") from error
