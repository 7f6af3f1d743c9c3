"""Raw data in ISMRMRD 1.x files (.h5, .mrd).

Source: the MRD specification, https://ismrmrd.readthedocs.io, and `dataset.c` of
https://github.com/ismrmrd/ismrmrd.

    dataset/xml       the header, see `gleam.formats.ismrmrd_header`
    dataset/data      (acquisition,) compound of `head`, `traj`, which is not read, and `data`,
                      the samples of all coils as float32 pairs; see `gleam.formats.acquisitions`
    dataset/rec_std   noise of each coil, in GE's scans on mridata.org; for want of a noise scan

The heads are read in bulk; k-space stays in the file until a slice is asked for.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats import hdf5, hdf5_variable
from gleam.formats.acquisition_head import ACQUISITION_HEADER, Records
from gleam.formats.acquisitions import assemble
from gleam.formats.ismrmrd_header import parse
from gleam.formats.scan import Array, Scan

GROUP = "dataset"


def read(path: Path) -> Scan:
    """Read a file of acquisitions.

    Raises:
        BadInput: the file is damaged, is not in the layout, or contradicts its own header.
    """
    with hdf5.opened(path) as file:
        group = hdf5.group(file, GROUP)
        xml = hdf5_variable.text(hdf5.dataset(group, "xml"))
        heads, places = _acquisitions(path, hdf5.dataset(group, "data"))
    try:
        header = parse(xml)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    shapes = np.stack([heads["active_channels"], heads["number_of_samples"]], axis=1)
    load = partial(_load, path=path, places=places, shapes=shapes)
    scan = assemble(path.stem, header, heads, load)
    if scan.noise is None:
        noise, warnings = _noise(path, scan.kspace.shape[1])
        scan = replace(scan, noise=noise, warnings=(*scan.warnings, *warnings))
    return replace(scan, format="ISMRMRD")


def _acquisitions(path: Path, data: h5py.Dataset) -> tuple[Records, Records]:
    """All heads, and where their data lie, which are as long as the heads say."""
    size, kind = os.path.getsize(path), data.dtype
    if (
        data.ndim != 1
        or not {"head", "data"} <= set(kind.names or ())
        or kind["head"].names != ACQUISITION_HEADER.names
        or kind["head"]["idx"].names != ACQUISITION_HEADER["idx"].names
        or h5py.check_vlen_dtype(kind["data"]) != np.float32
    ):
        raise BadInput(f"{path}: '{GROUP}/data' does not hold acquisitions of ISMRMRD 1")
    if not 0 < data.size * kind.itemsize <= size:
        raise BadInput(
            f"{path}: '{GROUP}/data' claims {data.size} acquisitions, in {size} bytes; get it anew"
        )
    content = hdf5_variable.elements(data, kind.itemsize)

    def member(name: str, dtype: np.dtype[Any]) -> Records:
        at = kind.fields[name][1]
        return content[:, at : at + dtype.itemsize].copy().view(dtype)[:, 0]

    heads = member("head", kind["head"]).astype(ACQUISITION_HEADER)
    places = member("data", hdf5_variable.PLACE)
    said = 2 * heads["active_channels"].astype(np.int64) * heads["number_of_samples"]
    if (places["length"] != said).any():
        wrong = (places["length"] != said).argmax()
        raise BadInput(
            f"{path}: acquisition {wrong} has {places['length'][wrong]} numbers, but its head says "
            f"{said[wrong]} (2 × channels × samples); the file is damaged"
        )
    if 4 * said.sum() > size:
        raise BadInput(f"{path}: is smaller than its acquisitions; get it anew")
    return heads, places


def _load(
    wanted: NDArray[np.intp], path: Path, places: Records, shapes: NDArray[np.uint16]
) -> Iterator[Array]:
    """The (coil, samples) data of some acquisitions, one after the other."""
    contents = hdf5_variable.contents(path, places[wanted], np.dtype(np.float32).itemsize)
    for content, shape in zip(contents, shapes[wanted], strict=True):
        yield np.frombuffer(content, np.complex64).reshape(shape)


def _noise(path: Path, coils: int) -> tuple[Array | None, tuple[str, ...]]:
    """(coil, coil): samples whose covariance is that of independent coils; and warnings."""
    with hdf5.opened(path) as file:
        group = hdf5.group(file, GROUP)
        if not hdf5.holds(group, "rec_std"):
            return None, ()
        found = hdf5.dataset(group, "rec_std")
        deviations = found[()].ravel() if found.size == coils and found.dtype.kind == "f" else None
    if deviations is None or not ((deviations > 0) & (deviations < np.inf)).all():
        return None, (
            f"its '{GROUP}/rec_std' is not one positive number for each of its {coils} coils; it "
            "was left out, and coils are not whitened",
        )
    return np.diag(deviations * coils**0.5).astype(np.complex64), ()
