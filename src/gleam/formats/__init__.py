"""Files in and out: scans from any raw-data format, images to any image format.

One module or folder per format; its docstring is the format's contract. They import no recipe and
nothing that computes images. Begin at `scan`, what every reader gives.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from gleam.errors import BadInput
from gleam.formats import cfl, fastmri, nifti, npy, pictures, submission
from gleam.formats.dicom import reader as dicom_read
from gleam.formats.dicom import writer as dicom
from gleam.formats.hdf5 import array as hdf5_array
from gleam.formats.hdf5 import file as hdf5
from gleam.formats.layout import Layout
from gleam.formats.matlab import file as matlab
from gleam.formats.mrd import file as ismrmrd
from gleam.formats.mrd import image as ismrmrd_image
from gleam.formats.mrd import version2 as mrd2
from gleam.formats.parts import Scans, only
from gleam.formats.scan import Scan
from gleam.formats.siemens import twix
from gleam.formats.volume import Volume

__all__ = [
    "FORMATS",
    "SCAN_SUFFIXES",
    "Layout",
    "Scan",
    "Scans",
    "Volume",
    "check_spares",
    "image_name",
    "image_writer",
    "is_scan_file",
    "read_image",
    "read_scan",
    "read_scans",
    "scan_file",
    "write_scan",
]

# Of the one file that stands for a scan in a folder.
SCAN_SUFFIXES = (".h5", ".mrd", ".cfl", ".npy", ".mat", ".dat")

_T = TypeVar("_T")


def _self_described(read: Callable[[Path], _T]) -> Callable[[Path, Layout | None], _T]:
    """The reader of a format whose files say themselves what their axes mean."""

    def checked(path: Path, layout: Layout | None) -> _T:
        if layout is not None:
            raise BadInput(
                f"{path}: says itself what it holds; leave --axes, --variable and --oversampled out"
            )
        return read(path)

    return checked


def _read_h5(path: Path, layout: Layout | None) -> Scans:
    """Read fastMRI's layout, ISMRMRD or a bare array, whichever the file has."""
    mrd2.refuse(path)
    with hdf5.opened(path) as file:
        is_fastmri = hdf5.holds(file, "kspace") and hdf5.holds(file, "ismrmrd_header")
        is_ismrmrd = bool(ismrmrd.measurements(file))
    if is_fastmri or is_ismrmrd:
        return _self_described(_fastmri if is_fastmri else ismrmrd.read)(path, layout)
    if not hdf5_array.arrays(path):
        raise BadInput(
            f"{path}: is neither fastMRI, which has a dataset 'kspace', nor ISMRMRD, which has a "
            "group 'dataset', and holds no complex array in its root; give raw data in one of these"
        )
    return hdf5_array.read(path, layout)


def _fastmri(path: Path) -> Scans:
    return {"": partial(fastmri.read, path)}


_READ_SCANS: dict[str, Callable[[Path, Layout | None], Scans]] = {
    ".h5": _read_h5,
    ".mrd": _self_described(ismrmrd.read),
    ".cfl": cfl.read,
    ".hdr": cfl.read,
    ".npy": npy.read,
    ".mat": matlab.read,
    ".dat": _self_described(twix.read),
}
_READ_MEASUREMENT: dict[str, Callable[[Path, str], Scans]] = {
    ".h5": ismrmrd.read,
    ".mrd": ismrmrd.read,
    ".dat": twix.read,
}
_READ_IMAGE: dict[str, Callable[[Path, Layout | None], Volume]] = {
    ".nii": _self_described(nifti.read_image),
    ".nii.gz": _self_described(nifti.read_image),
    ".npy": npy.read_image,
    ".mat": matlab.read_image,
    ".dcm": _self_described(dicom_read.read_image),
    "/": _self_described(dicom_read.read_image),
}
_WRITE_SCAN: dict[str, Callable[[Scan, Path], None]] = {
    ".h5": fastmri.write,
    ".cfl": cfl.write_kspace,
}
_WRITE_IMAGE: dict[str, Callable[[Volume, Path], None]] = {
    ".nii": nifti.write_image,
    ".nii.gz": nifti.write_image,
    ".npy": npy.write_image,
    ".png": pictures.write_png,
    ".webp": pictures.write_webp,
    ".cfl": cfl.write_image,
    ".dcm": dicom.write_image,
    ".mrd": ismrmrd_image.write_image,
    "/": dicom.write_image,  # a folder, which a name without suffix means
}


# By name, for many images: their suffix, and what writes them.
FORMATS: dict[str, tuple[str, Callable[[Volume, Path], None]]] = {
    **{name: (f".{name}", _WRITE_IMAGE[f".{name}"]) for name in ("nii.gz", "nii", "npy", "mrd")},
    **{name: (f".{name}", _WRITE_IMAGE[f".{name}"]) for name in ("png", "webp", "cfl")},
    "dicom": ("", dicom.write_image),
    "fastmri": (".h5", submission.write_fastmri),
    "cmrxrecon": (".mat", submission.write_cmrxrecon),
}


def scan_file(path: Path) -> Path:
    """The file that stands for a scan: the .cfl of BART's pair, be it named without suffix."""
    pair = path.parent / f"{path.stem if path.suffix == '.hdr' else path.name}.cfl"
    stands_for_it = path.suffix == ".hdr" or not path.exists()
    return pair if stands_for_it and pair.is_file() else path


def check_spares(out: Path, scan: Path) -> None:
    """Have no image replace the scan that it is made of, whatever is forced.

    Args:
        out: the image file that is to be written.
        scan: the scan's, of which it may be BART's other half.

    Raises:
        BadInput: it is the scan's.
    """
    if not _files(out).isdisjoint(_files(scan_file(scan))):
        raise BadInput(f"{out}: is the scan itself; give the image another name")


def _files(path: Path) -> set[Path]:
    whole = path.resolve()
    halves = (".cfl", ".hdr")
    return {whole.with_suffix(half) for half in halves} if path.suffix in halves else {whole}


def read_scans(path: Path, layout: Layout | None = None, measurement: str | None = None) -> Scans:
    """Read the scans of a file, or of a measurement of it, in the format that its suffix says.

    Args:
        path: the file.
        layout: what the axes of a file of plain numbers mean.
        measurement: which of the file's, where it may hold several: a group of ISMRMRD, a number
            from 1 of twix; by default the last.

    Raises:
        BadInput: the suffix is not known, the file is missing, damaged or not supported, it says
            itself what `layout` is given for, or it holds no such measurement.
    """
    path = scan_file(path)
    if path.is_dir():
        raise BadInput(f"{path}: is a folder; give one scan file")
    if _holds_images(path):
        raise BadInput(
            f"{path}: holds images, of which nothing can be reconstructed; `gleam simulate --from` "
            "makes raw data of them, to try things out"
        )
    read = _by_suffix(_READ_SCANS, path)
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    if measurement is None:
        return read(path, layout)
    suffix = path.suffix.lower()
    if suffix not in _READ_MEASUREMENT or layout is not None:
        raise BadInput(
            f"{path}: --group chooses a measurement of ISMRMRD or twix, which say themselves what "
            "they hold; leave out either it, or what is said of the axes"
        )
    return _READ_MEASUREMENT[suffix](path, measurement)


def read_scan(
    path: Path,
    layout: Layout | None = None,
    measurement: str | None = None,
    part: str | None = None,
) -> Scan:
    """Read the scan that a file, or a measurement of it, holds, or one of several.

    Args:
        path, layout, measurement: as for `read_scans`.
        part: the name of one of several.

    Raises:
        BadInput: as `read_scans`; or there is no such part, or several and none is named.
    """
    return only(str(path), read_scans(path, layout, measurement), part)


def read_image(path: Path, layout: Layout | None = None) -> Volume:
    """Read an image in the format that its suffix says.

    Args:
        path: the file.
        layout: what the axes of a file of plain numbers mean.

    Raises:
        BadInput: as `read_scan`.
    """
    read = _READ_IMAGE["/"] if path.is_dir() else _by_suffix(_READ_IMAGE, path)
    if not path.exists():
        raise BadInput(f"{path}: no such file")
    return read(path, layout)


def write_scan(scan: Scan, path: Path) -> None:
    """Write a scan in the format that the suffix says, all at once or not at all.

    Raises:
        BadInput: the suffix is not known, the format cannot hold the scan, or the folder cannot
            be written to.
    """
    _by_suffix(_WRITE_SCAN, path)(scan, path)


def image_writer(path: Path, format: str | None = None) -> Callable[[Volume, Path], None]:
    """A function that writes images, all at once or not at all.

    Args:
        path: where to.
        format: one of `FORMATS`; by default what the suffix says.

    Raises:
        BadInput: the suffix or the format is not known, or they do not fit each other; when
            writing, a library for the format is missing, the format cannot hold the image, or the
            folder cannot be written to.
    """
    if format is None:
        return _by_suffix(_WRITE_IMAGE, path)
    suffix, write = _format(format)
    if not path.name.lower().endswith(suffix):
        raise BadInput(
            f"{path}: an image of --format {format} ends in {suffix}; give it that suffix"
        )
    return write


def image_name(name: str, format: str) -> str:
    """The name of an image in a folder of its like.

    Args:
        name: the scan's.
        format: one of `FORMATS`.

    Raises:
        BadInput: the format is not known.
    """
    return name + _format(format)[0]


def _format(name: str) -> tuple[str, Callable[[Volume, Path], None]]:
    if name not in FORMATS:
        raise BadInput(f"--format is not {name!r}; it is one of {', '.join(FORMATS)}")
    return FORMATS[name]


def is_scan_file(path: Path) -> bool:
    """Whether a file in a folder stands for a scan, by its name; hidden ones do not."""
    visible = path.is_file() and not path.name.startswith(".")
    return visible and path.suffix.lower() in SCAN_SUFFIXES


def _holds_images(path: Path) -> bool:
    endings = tuple(suffix for suffix in _READ_IMAGE if suffix not in _READ_SCANS)
    return path.name.lower().endswith(endings)


def _by_suffix(table: dict[str, _T], path: Path) -> _T:
    name = path.name.lower() if path.suffix else f"{path.name}/"  # some write .DAT or .PNG
    for suffix, function in table.items():
        if name.endswith(suffix):
            return function
    suffixes = ", ".join(suffix for suffix in table if suffix != "/")
    folder = "; a folder of DICOM files has none" if "/" in table else ""
    raise BadInput(f"{path}: unknown suffix; known here are {suffixes}{folder}")
