"""The images of a DICOM series, one MR Image Storage instance for each slice and frame.

- Derived: Image Type DERIVED\\SECONDARY, Derivation Description with the method. Not for
  diagnosis: Content Qualification RESEARCH, Image Comments, Series Description.
- Place: position of the first voxel, directions of rows and columns, spacings, all from the
  affine, which is LPS as DICOM is. Slice Thickness is that of 2D slices, empty where it is not
  known, and the distance of a volume's.
- Intensities are arbitrary, so stored values are shown as they are: 0 to 65535 for the brightest
  voxel of the series, one step for all images. Real World Value Mapping brings them back to the
  reconstruction's own. (With a Rescale Slope, windows would be narrower than the 1 that DICOM
  demands: raw data are often far below it.) The window ends at the 99.5th percentile.
- Frames are temporal positions. Where the user says that the heart triggered them (Scan Options CG
  or PPG), they have a Trigger Time, counted from the first; the standard allows it nowhere else.
- Contrast: TR, TE, flip angle and field strength where known. Scanning Sequence is RM (research
  mode), as raw data do not say it. Inversion Time is then forbidden; and Siemens' ISMRMRD headers
  have a TI in scans without inversion, too.

Source: the DICOM standard, PS3.3 A.4, C.7.6.1, C.7.6.2, C.8.3.1, C.8.13.2.1.1 and C.11.2.1.2,
https://dicom.nema.org/medical/dicom/current.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pydicom.valuerep import format_number_as_ds

from gleam import __version__
from gleam.errors import BadInput
from gleam.formats.volume import Volume

_LARGEST = 65535
_NOT_FOR_DIAGNOSIS = "Not for diagnosis"
_CONTRAST = {
    "TR": "RepetitionTime",
    "TE": "EchoTime",
    "flip_angle": "FlipAngle",
    "field_strength": "MagneticFieldStrength",
}


def images(volume: Volume, tags: Mapping[str, str]) -> Iterator[Dataset]:
    """The images, slice by slice and then frame by frame.

    Args:
        volume: what to write.
        tags: values by keyword, which replace what would stand there.

    Raises:
        BadInput: a voxel has no size, or rows and columns are not at right angles.
    """
    magnitude = volume.magnitude
    frames, depth, *_ = magnitude.shape
    step = float(magnitude.max()) / _LARGEST or 1.0
    white = max(1.0, float(np.percentile(magnitude, 99.5)) / step)
    series = _series(volume)
    frame_time = volume.contrast.get("frame_time")
    gated = tags.get("ScanOptions") in ("CG", "PPG")
    for frame in range(frames):
        for z in range(depth):
            image = _place(volume, z)
            image.update(series)
            image.SOPInstanceUID = generate_uid(None)
            image.InstanceNumber = 1 + frame * depth + z
            if frames > 1:
                image.TemporalPositionIdentifier = 1 + frame
                image.NumberOfTemporalPositions = frames
                if frame_time is not None:
                    image.TemporalResolution = _ds(frame_time)
            if gated:
                image.TriggerTime = None if frame_time is None else _ds(frame * float(frame_time))
            _pixels(image, np.rint(magnitude[frame, z] / step).astype("<u2"), step, white)
            for keyword, value in tags.items():
                setattr(image, keyword, value)
            yield image


def save(image: Dataset, path: Path) -> None:
    """Write one image as a file, with the preamble and meta information that files have."""
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dcmwrite(path, image, enforce_file_format=True)


def _series(volume: Volume) -> Dataset:
    """Attributes that all images have in common, in the order of the standard's modules."""
    now, method = datetime.now(), volume.method or "unknown method"
    series = Dataset()
    series.SpecificCharacterSet = "ISO_IR 192"
    series.SOPClassUID = MRImageStorage
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"):
        setattr(series, keyword, "")
    series.StudyInstanceUID = generate_uid(None)
    for keyword in ("StudyDate", "StudyTime", "StudyID", "AccessionNumber"):
        setattr(series, keyword, "")
    series.ReferringPhysicianName = ""

    series.Modality = "MR"
    series.SeriesInstanceUID = generate_uid(None)
    series.SeriesNumber = 1
    series.SeriesDescription = f"{_NOT_FOR_DIAGNOSIS}: GLEAM {method}"[:64]
    series.PatientPosition = series.Laterality = ""
    series.FrameOfReferenceUID = generate_uid(None)
    series.PositionReferenceIndicator = ""
    series.Manufacturer = "GLEAM"
    series.SoftwareVersions = __version__

    series.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    series.ContentDate = series.SeriesDate = now.strftime("%Y%m%d")
    series.ContentTime = series.SeriesTime = now.strftime("%H%M%S")
    series.AcquisitionNumber = 1
    series.DerivationDescription = f"Reconstructed from k-space by GLEAM {__version__}: {method}"
    series.ContentQualification = "RESEARCH"
    comments = [f"{_NOT_FOR_DIAGNOSIS}: reconstructed by research software", volume.verdict]
    series.ImageComments = "; ".join(filter(None, comments))
    series.BurnedInAnnotation = "NO"

    series.ScanningSequence = "RM"
    series.SequenceVariant = "NONE"
    series.ScanOptions = ""
    series.MRAcquisitionType = "3D" if volume.image.ndim == 5 else "2D"
    series.RepetitionTime = series.EchoTime = series.EchoTrainLength = None
    for name, keyword in _CONTRAST.items():
        if name in volume.contrast:
            setattr(series, keyword, _ds(volume.contrast[name]))
    return series


def _place(volume: Volume, z: int) -> Dataset:
    """Attributes that say where the voxels of one image lie."""
    affine = volume.affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    along_row, along_column = (affine[:3, :2] / np.where(spacing > 0, spacing, 1)[:2]).T
    if not (spacing > 0).all() or abs(along_row @ along_column) > 1e-4:
        raise BadInput(
            f"{volume.name}: its voxels have no size or no right angles, which DICOM cannot hold; "
            "write .nii.gz instead"
        )
    place = Dataset()
    place.ImagePositionPatient = [_ds(v) for v in affine[:3] @ [0, 0, z, 1]]
    place.ImageOrientationPatient = [_ds(v) for v in (*along_row, *along_column)]
    place.PixelSpacing = [_ds(spacing[1]), _ds(spacing[0])]  # between rows, between columns
    place.SpacingBetweenSlices = _ds(spacing[2])
    thickness = spacing[2] if volume.image.ndim == 5 else volume.thickness
    place.SliceThickness = None if thickness is None else _ds(thickness)
    return place


def _pixels(image: Dataset, stored: NDArray[np.uint16], step: float, white: float) -> None:
    """The values of one image, and what they mean."""
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows, image.Columns = stored.shape
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit = 15
    image.PixelRepresentation = 0
    image.WindowCenter, image.WindowWidth = round(white / 2), round(white)
    image.PixelData = stored.tobytes()

    units = Dataset()
    units.CodeValue, units.CodingSchemeDesignator, units.CodeMeaning = "1", "UCUM", "no units"
    mapping = Dataset()
    mapping.RealWorldValueFirstValueMapped, mapping.RealWorldValueLastValueMapped = 0, _LARGEST
    mapping.RealWorldValueIntercept, mapping.RealWorldValueSlope = 0.0, step
    mapping.LUTExplanation, mapping.LUTLabel = "Intensity of the reconstruction", "GLEAM"
    mapping.MeasurementUnitsCodeSequence = [units]
    image.RealWorldValueMappingSequence = [mapping]


def _ds(value: float | str) -> str:
    """A number in the 16 characters that DICOM has for one."""
    return format_number_as_ds(float(value))
