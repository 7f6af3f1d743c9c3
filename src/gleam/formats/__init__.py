"""Files in and out: scans from any raw-data format, images to any image format.

One module per format; its docstring is the format's contract.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gleam.errors import BadInput
from gleam.formats import cfl, fastmri, nifti, npy, png
from gleam.formats.scan import Scan
from gleam.formats.volume import Volume

__all__ = ["SCAN_SUFFIXES", "Scan", "Volume", "image_writer", "read_scan", "write_scan"]

SCAN_SUFFIXES = (".h5", ".cfl", ".npy")  # of the one file that stands for a scan in a folder

_T = TypeVar("_T")

_READ_SCAN: dict[str, Callable[[Path], Scan]] = {
    ".h5": fastmri.read,
    ".cfl": cfl.read,
    ".hdr": cfl.read,
    ".npy": npy.read,
}
_WRITE_SCAN: dict[str, Callable[[Scan, Path], None]] = {
    ".h5": fastmri.write,
    ".cfl": cfl.write_kspace,
}
_WRITE_IMAGE: dict[str, Callable[[Volume, Path], None]] = {
    ".nii": nifti.write_image,
    ".nii.gz": nifti.write_image,
    ".npy": npy.write_image,
    ".png": png.write_image,
    ".cfl": cfl.write_image,
}


def read_scan(path: Path) -> Scan:
    """Read a scan in the format that its suffix says.

    Raises:
        BadInput: the suffix is not known, or the file is missing, damaged or not supported.
    """
    read = _by_suffix(_READ_SCAN, path)
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    return read(path)


def write_scan(scan: Scan, path: Path) -> None:
    """Write a scan in the format that the suffix says, all at once or not at all.

    Raises:
        BadInput: the suffix is not known, the format cannot hold the scan, or the folder cannot
            be written to.
    """
    _by_suffix(_WRITE_SCAN, path)(scan, path)


def image_writer(path: Path) -> Callable[[Volume, Path], None]:
    """What writes images in the format that the suffix says, all at once or not at all.

    Raises:
        BadInput: the suffix is not known; when writing, a library for the format is missing, or
            the folder cannot be written to.
    """
    return _by_suffix(_WRITE_IMAGE, path)


def _by_suffix(table: dict[str, _T], path: Path) -> _T:
    for suffix, function in table.items():
        if path.name.endswith(suffix):
            return function
    raise BadInput(f"{path}: unknown suffix; known here are {', '.join(table)}")
