"""fastMRI multi-coil HDF5 (knee, brain and T2 of the prostate), both ways.

Source: Zbontar et al., "fastMRI: an open dataset and benchmarks for accelerated MRI",
arXiv 1811.08839, section 4, and https://github.com/facebookresearch/fastMRI.

    kspace              (slice, coil, readout, phase) complex64; the readout is oversampled. Of the
                        prostate, (average, slice, coil, readout, phase)
    ismrmrd_header      ISMRMRD XML: matrices, fields of view, encoding limits, TR, TE, …
    mask                (phase,) only where the acquisition itself was undersampled
    reconstruction_rss  (slice, y, x) float32, only where it was not: root sum of squares
    attributes          acquisition, max and norm of the reconstruction, patient_id (never read,
                        written empty)

- Rows are the readout, columns the phase encoding: `space` is (readout, phase), `readout` is 0.
- The vendor zero-fills columns to the encoded matrix. Line `centre` of the encoding limits lies in
  column ⌊W/2⌋ of W, so columns outside ⌊W/2⌋ − centre + [0, maximum] are not sampled; nor is a
  column without any data in any slice.
- Averages of the prostate sampled other columns each: the mean of those that hold one is taken.
- `matrix` is the header's recon matrix, no larger than k-space. Crops keep ⌊N/2⌋ central. Where
  other columns are stored than were encoded, as of the prostate, it is the recon field of view.
- A voxel is the encoded field of view over the stored k-space; the slice thickness is the recon
  space's field of view along z, and the slices' distance, too: the layout does not hold gaps.
- It holds no position or orientation either: the affine is axis-aligned, with the central voxel of
  the central slice at the origin. Files written here say both in an attribute `geometry`.
"""

from functools import partial
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.geometry import Geometry
from gleam.formats.hdf5 import attribute as hdf5_attribute
from gleam.formats.hdf5 import file as hdf5
from gleam.formats.hdf5 import variable as hdf5_variable
from gleam.formats.hdf5.writer import creating
from gleam.formats.lazy import Stored
from gleam.formats.mrd.header import Header, parse, serialise
from gleam.formats.parts import called
from gleam.formats.scan import Array, Scan, calibration_box, centred_affine, outwards
from gleam.formats.zeros import less_filling


def read(path: Path) -> Scan:
    """Read a multi-coil file; k-space stays in the file until a slice is asked for.

    Raises:
        BadInput: the file is damaged, is not in the layout, or contradicts its own header.
    """
    with hdf5.opened(path) as file:
        shape = _shape(path, hdf5.dataset(file, "kspace"))
        header = _header(path, hdf5.dataset(file, "ismrmrd_header"))
        sampled = np.ones(shape[-1], np.bool_)
        if hdf5.holds(file, "mask"):
            sampled = _mask(path, hdf5.dataset(file, "mask"), shape)
        if hdf5.holds(file, "phase_correction"):
            raise BadInput(
                f"{path}: was acquired by echo-planar imaging, which needs phase correction; only "
                "lines of plain Cartesian scans can be used"
            )
        acquisition = hdf5_attribute.text(file, "acquisition")
        geometry = hdf5_attribute.text(file, "geometry")
    slices, coils, rows, columns = shape[-4:]  # averages are before them

    if rows != header.encoded[0]:
        raise BadInput(
            f"{path}: k-space has {rows} readout samples but the header's encoded matrix has "
            f"{header.encoded[0]}; the file contradicts itself"
        )
    sampled = sampled & _acquired(path, header, columns)
    each_slice = (_load(path, index, slice(None), sampled) for index in outwards(slices))
    pattern, differ = less_filling(sampled[None, None], each_slice, [(0, 1)])
    sampled = pattern[0, 0]

    voxel = (
        header.encoded_fov[0] / rows,
        header.encoded_fov[1] / columns,
        header.recon_fov[2] / header.recon[2],
    )
    wanted = header.recon[1]
    if columns != header.encoded[1]:
        wanted = max(1, round(header.recon_fov[1] / voxel[1]))
    matrix = (min(rows, header.recon[0]), min(columns, wanted))
    contrast = header.contrast
    if acquisition:
        contrast = {"acquisition": acquisition, **contrast}
    scan = Scan(
        name=called(path),
        kspace=Stored(path, (slices, coils, 1, rows, columns), partial(_load, sampled=sampled)),
        sampled=sampled[None, None],
        readout=0,
        matrix=matrix,
        voxel=voxel,
        affine=centred_affine(matrix, voxel, slices),
        calibration=calibration_box(np.broadcast_to(sampled, (1, rows, columns))),
        contrast=contrast,
        format="fastMRI",
        thickness=voxel[2],
        warnings=(*header.warnings, *differ),
    )
    return scan if geometry is None else Geometry.parse(path, geometry).given_to(scan)


def write(scan: Scan, path: Path) -> None:
    """Write a scan in the layout, all at once or not at all.

    The reconstruction is written when the scan is complete, the mask when it is not. Voxel sizes
    and the contrast go into the header; noise is lost.

    Raises:
        BadInput: the layout cannot hold the scan: it is 3D, has frames, or is undersampled along
            rows.
    """
    slices, coils, frames, *space = scan.kspace.shape
    if (
        len(space) != 2
        or frames != 1
        or scan.readout == 1
        or (scan.sampled != scan.sampled[:, :1]).any()
    ):
        raise BadInput(
            f"{path}: the fastMRI layout holds static 2D scans whose rows are sampled in full; "
            "write .cfl instead"
        )
    lines = np.broadcast_to(scan.sampled[0, 0], space[1])
    header = _describe(scan, np.flatnonzero(lines))
    complete = scan.complete
    with creating(path) as (file, _):
        file["ismrmrd_header"] = serialise(header)
        file.attrs["acquisition"] = str(scan.contrast.get("acquisition", ""))
        file.attrs["patient_id"] = ""
        file.attrs["geometry"] = Geometry.of(scan).model_dump_json()
        kspace = file.create_dataset("kspace", (slices, coils, *space), np.complex64)
        if complete:
            rss = file.create_dataset("reconstruction_rss", (slices, *scan.matrix), np.float32)
        else:
            file["mask"] = lines
        for index in range(slices):
            kspace[index] = data = scan.kspace[index][:, 0]
            if complete:
                rss[index] = _root_sum_of_squares(data, scan.matrix)
        if complete:
            file.attrs["max"] = max(float(image.max()) for image in rss)
            file.attrs["norm"] = float(np.linalg.norm([np.linalg.norm(image) for image in rss]))


def _load(
    path: Path, index: int, coils: slice, sampled: NDArray[np.bool_]
) -> NDArray[np.complexfloating]:
    with hdf5.opened(path) as file:
        kspace = hdf5.dataset(file, "kspace")
        data: NDArray[np.complexfloating]
        data = kspace[index, coils] if kspace.ndim == 4 else _mean(kspace, index, coils)
    data[..., ~sampled] = 0
    return data[:, None]


def _mean(kspace: h5py.Dataset, index: int, coils: slice) -> NDArray[np.complexfloating]:
    """(coil, readout, phase) of a slice: of each column the mean of the averages that hold it."""
    mean: NDArray[np.complexfloating] = kspace[0, index, coils]
    held = (mean != 0).any(axis=(0, 1)).astype(np.float32)
    for average in range(1, len(kspace)):  # one at a time: memory is that of two
        data = kspace[average, index, coils]
        held += (data != 0).any(axis=(0, 1))
        mean += data
    mean /= np.maximum(held, 1)
    return mean


def _shape(path: Path, kspace: h5py.Dataset) -> tuple[int, ...]:
    if kspace.ndim == 3:
        raise BadInput(f"{path}: k-space is single-coil (slice, y, x); use the multi-coil file")
    if kspace.ndim not in (4, 5) or kspace.dtype.kind != "c" or 0 in kspace.shape:
        raise BadInput(
            f"{path}: 'kspace' is {kspace.dtype} of shape {kspace.shape}; expected complex "
            "(slice, coil, readout, phase), or averages of these"
        )
    return tuple(kspace.shape)


def _header(path: Path, header: h5py.Dataset) -> Header:
    xml = hdf5_variable.text(header)
    try:
        return parse(xml)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def _mask(path: Path, mask: h5py.Dataset, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if mask.shape != shape[-1:] or mask.dtype.kind not in "biuf":
        raise BadInput(
            f"{path}: 'mask' is {mask.dtype} of shape {mask.shape}; expected one number for each "
            f"of the {shape[-1]} columns"
        )
    return np.asarray(mask[()] != 0)


def _acquired(path: Path, header: Header, columns: int) -> NDArray[np.bool_]:
    """(phase,) bool: the columns inside the encoding limits."""
    if header.limits in (None, (0, 0)):  # the latter says nothing, either
        return np.ones(columns, np.bool_)
    maximum, centre = header.limits
    if maximum >= columns or centre > maximum:
        raise BadInput(
            f"{path}: the header's encoding limits (maximum {maximum}, centre {centre}) do not fit "
            f"the {columns} stored columns; the file contradicts itself"
        )
    line = np.arange(columns) - (columns // 2 - centre)
    return (line >= 0) & (line <= maximum)


def _describe(scan: Scan, lines: NDArray[np.intp]) -> Header:
    rows, columns = scan.space
    # Limits always reach over the centre; should it not be sampled, the zeros still say so.
    first = min(int(lines[0]), columns // 2)
    last = max(int(lines[-1]), columns // 2)
    height, width = scan.matrix
    y, x, distance = scan.voxel
    thickness = distance if scan.thickness is None else scan.thickness
    return Header(
        encoded=(rows, columns, 1),
        encoded_fov=(rows * y, columns * x, thickness),
        recon=(height, width, 1),
        recon_fov=(height * y, width * x, thickness),
        limits=(last - first, columns // 2 - first),
        contrast=scan.contrast,
    )


def _root_sum_of_squares(kspace: Array, matrix: tuple[int, ...]) -> NDArray[np.float32]:
    """(coil, *space) k-space to the (*matrix) image, by the centred orthonormal inverse FFT."""
    axes = (1, 2)
    images = np.fft.fftshift(
        np.fft.ifft2(np.fft.ifftshift(kspace, axes), axes=axes, norm="ortho"), axes
    )
    crop = (
        slice(n // 2 - m // 2, n // 2 - m // 2 + m)
        for n, m in zip(images.shape[1:], matrix, strict=True)
    )
    image: NDArray[np.float32] = np.linalg.norm(images[:, *crop], axis=0)
    return image
