"""Raw data in ISMRMRD 1.x files (.h5, .mrd).

Source: the MRD specification, https://ismrmrd.readthedocs.io, and `dataset.c` of
https://github.com/ismrmrd/ismrmrd.

    dataset/xml       the header, see `gleam.formats.mrd.header`
    dataset/data      (acquisition,) compound of `head`, `traj`, which is not read, and `data`,
                      the samples of all coils as float32 pairs; `gleam.formats.mrd.acquisitions`
    dataset/rec_std   noise of each coil, in GE's scans on mridata.org; for want of a noise scan

A file may hold several measurements, in the groups `dataset_1`, `dataset_2`, …, as
`siemens_to_ismrmrd -M` writes them. The last is the scan, unless another is asked for; noise is
taken from those before it, too. The heads are read in bulk; k-space stays in the file until a slice
is asked for.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.hdf5 import file as hdf5
from gleam.formats.hdf5 import variable as hdf5_variable
from gleam.formats.mrd import version2 as mrd2
from gleam.formats.mrd.acquisitions import assemble
from gleam.formats.mrd.head import ACQUISITION_HEADER, NOISE, Records, flagged
from gleam.formats.mrd.header import Header, parse
from gleam.formats.noise import of_levels
from gleam.formats.parts import Scans, called
from gleam.formats.scan import NOT_WHITENED, Array, Scan

_MEASUREMENT = re.compile(r"dataset(?:_(\d+))?")


def measurements(file: h5py.File) -> list[str]:
    """The names of the groups that hold measurements, in the order they were made."""
    found = {name: match for name in file if (match := _MEASUREMENT.fullmatch(name))}
    return sorted(found, key=lambda name: int(found[name][1] or 0))


def read(path: Path, measurement: str | None = None) -> Scans:
    """Read a measurement of a file of acquisitions.

    Args:
        path: the file.
        measurement: its group; by default the last.

    Raises:
        BadInput: the file is damaged, is not in the layout, or contradicts its own header; or it
            has no such measurement.
    """
    mrd2.refuse(path)
    with hdf5.opened(path) as file:
        names = measurements(file) or ["dataset"]
        chosen = measurement or names[-1]
        if measurement is not None and not hdf5.holds(file, measurement):
            raise BadInput(
                f"{path}: holds no measurement {measurement!r}; --group is one of "
                f"{', '.join(names)}"
            )
        group = hdf5.group(file, chosen)
        xml = hdf5_variable.text(hdf5.dataset(group, "xml"))

        def header(encoding: int) -> Header:
            try:
                return parse(xml, encoding)
            except BadInput as error:
                raise BadInput(f"{path}: {error}") from error

        readout = header(0).encoded[0]
        heads, places = _acquisitions(path, hdf5.dataset(group, "data"), readout)
        for name in names[: names.index(chosen)] if chosen in names else ():
            data = hdf5.dataset(hdf5.group(file, name), "data")
            earlier, there = _acquisitions(path, data, readout)
            of_noise = flagged(earlier, NOISE)
            heads = np.concatenate([earlier[of_noise], heads])
            places = np.concatenate([there[of_noise], places])

    shapes = np.stack([heads["active_channels"], heads["number_of_samples"]], axis=1)
    load = partial(_load, path=path, places=places, shapes=shapes)
    scans = assemble(called(path), header, heads, load)
    words = f"ISMRMRD, {chosen} of {len(names)} measurements" if len(names) > 1 else "ISMRMRD"
    return {part: partial(_complete, path, chosen, words, scan) for part, scan in scans.items()}


def read_noise_alone(path: Path) -> Array | None:
    """(coil, samples) of a file whose acquisitions are all of noise, as acquired; None of others.

    Raises:
        BadInput: the file is damaged, or its acquisitions are of several numbers of channels.
    """
    mrd2.refuse(path)
    with hdf5.opened(path) as file:
        names = measurements(file)
        if not names:
            return None
        data = hdf5.dataset(hdf5.group(file, names[-1]), "data")
        heads, places = _acquisitions(path, data, readout=1)
    if not flagged(heads, NOISE).all():
        return None
    if len(channels := np.unique(heads["active_channels"])) > 1:
        raise BadInput(
            f"{path}: holds noise of {' and '.join(map(str, channels))} channels; give a file of "
            "one number"
        )
    shapes = np.stack([heads["active_channels"], heads["number_of_samples"]], axis=1)
    return np.concatenate([*_load(np.arange(len(heads)), path, places, shapes)], axis=1)


def _complete(path: Path, measurement: str, words: str, read: Callable[[], Scan]) -> Scan:
    scan = read()
    if scan.noise is None:
        noise, warnings = _noise(path, measurement, scan.kspace.shape[1])
        scan = replace(scan, noise=noise, warnings=(*scan.warnings, *warnings))
    return replace(scan, format=words)


def _acquisitions(path: Path, data: h5py.Dataset, readout: int) -> tuple[Records, Records]:
    """All heads, and where their data lie, which are as long as the heads say.

    Heads that converters left at 0 channels or samples are filled in: the samples are those of the
    other number, or of the encoded `readout`.
    """
    size, kind = os.path.getsize(path), data.dtype
    if (
        data.ndim != 1
        or not {"head", "data"} <= set(kind.names or ())
        or kind["head"].names != ACQUISITION_HEADER.names
        or kind["head"]["idx"].names != ACQUISITION_HEADER["idx"].names
        or h5py.check_vlen_dtype(kind["data"]) != np.float32
    ):
        raise BadInput(f"{path}: '{data.name}' does not hold acquisitions of ISMRMRD 1")
    if not 0 < data.size * kind.itemsize <= size:
        raise BadInput(
            f"{path}: '{data.name}' claims {data.size} acquisitions, in {size} bytes; get it anew"
        )
    content = hdf5_variable.elements(data, kind.itemsize)

    def member(name: str, dtype: np.dtype[Any]) -> Records:
        at = kind.fields[name][1]
        return content[:, at : at + dtype.itemsize].copy().view(dtype)[:, 0]

    heads = member("head", kind["head"]).astype(ACQUISITION_HEADER)
    places = member("data", hdf5_variable.PLACE)
    _fill(heads, places["length"].astype(np.int64) // 2, readout)
    stated = 2 * heads["active_channels"].astype(np.int64) * heads["number_of_samples"]
    if (places["length"] != stated).any():
        wrong = (places["length"] != stated).argmax()
        raise BadInput(
            f"{path}: acquisition {wrong} has {places['length'][wrong]} numbers, but its head says "
            f"{stated[wrong]} (2 × channels × samples); the file is damaged"
        )
    if 4 * stated.sum() > size:
        raise BadInput(f"{path}: is smaller than its acquisitions; get it anew")
    return heads, places


def _fill(heads: Records, numbers: NDArray[np.int64], readout: int) -> None:
    """Set what is 0 in the heads, where the complex `numbers` of each line tell it."""
    channels, samples = heads["active_channels"], heads["number_of_samples"]
    neither = (channels == 0) & (samples == 0)
    samples[neither & (numbers > 0) & (numbers % readout == 0)] = readout
    for unknown, other in ((samples, channels), (channels, samples)):
        found = numbers // np.maximum(other, 1)
        fill = (unknown == 0) & (other > 0) & (numbers % np.maximum(other, 1) == 0)
        fill &= found < 2**16
        unknown[fill] = found[fill]


def _load(
    wanted: NDArray[np.intp], path: Path, places: Records, shapes: NDArray[np.uint16]
) -> Iterator[Array]:
    """The (coil, samples) data of some acquisitions, one after the other."""
    contents = hdf5_variable.contents(path, places[wanted], np.dtype(np.float32).itemsize)
    for content, shape in zip(contents, shapes[wanted], strict=True):
        yield np.frombuffer(content, np.complex64).reshape(shape)


def _noise(path: Path, name: str, coils: int) -> tuple[Array | None, tuple[str, ...]]:
    """(coil, samples): such as have the covariance of independent coils; and warnings."""
    with hdf5.opened(path) as file:
        group = hdf5.group(file, name)
        if not hdf5.holds(group, "rec_std"):
            return None, ()
        found = hdf5.dataset(group, "rec_std")
        deviations = found[()].ravel() if found.size == coils and found.dtype.kind == "f" else None
    if deviations is None or not ((deviations > 0) & (deviations < np.inf)).all():
        return None, (
            f"its '{name}/rec_std' is not one positive number for each of its {coils} coils; "
            f"{NOT_WHITENED}",
        )
    return of_levels(deviations), ()
