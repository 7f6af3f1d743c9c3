"""Ways to spoil the structure of an HDF5 file, one dataset at a time; see `mutations`."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from mutations import INTEGERS, Rng, pick, spoil_bytes, spoil_text


def spoil_hdf5(path: Path, rng: Rng) -> None:
    """An edit of one to three datasets of an HDF5 file, in place."""
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(
            lambda name: names.append(name) if isinstance(file[name], h5py.Dataset) else None
        )
        for index in rng.permutation(len(names))[: rng.integers(1, 4)]:
            edit = pick(rng, HDF5_EDITS)
            with suppress(Exception):  # some edits are impossible for some data
                edit(file, names[index], rng)


def spoil_lines(path: Path, rng: Rng) -> None:
    """Other values in the heads of ISMRMRD acquisitions: of one, of some or of all."""
    with h5py.File(path, "r+") as file:
        entry = file["dataset/data"]
        data = entry[()]
        for _ in range(rng.integers(1, 5)):
            member = data["head"]
            while member.dtype.names:
                member = member[pick(rng, member.dtype.names)]
            first, step = int(rng.integers(len(data))), pick(rng, (1, 2, len(data)))
            member[first * (rng.random() < 0.5) :: step] = _other(member.dtype, rng)
        entry[...] = data


def _replace(file: h5py.File, name: str, data: Any, **kind: Any) -> None:
    del file[name]
    file.create_dataset(name, data=data, **kind)


def retyped(file: h5py.File, name: str, rng: Rng) -> None:
    shape = file[name].shape
    kind = pick(
        rng,
        (
            np.dtype("i1"), np.dtype(">u8"), np.dtype("f2"), np.dtype(">f8"), np.dtype("c16"),
            np.dtype("S3"), np.dtype("V5"), np.dtype("?"), np.dtype([("r", "f4"), ("i", "f4")]),
            np.dtype([("real", "f8"), ("imag", "S2")]), np.dtype(("f4", (2,))),
            h5py.string_dtype(), h5py.vlen_dtype(np.float32), h5py.enum_dtype({"a": 1}),
            h5py.ref_dtype, h5py.regionref_dtype,
        ),
    )  # fmt: skip
    del file[name]
    file.create_dataset(name, shape, kind)


def reshaped(file: h5py.File, name: str, rng: Rng) -> None:
    data = file[name][()]
    array = np.asarray(data)
    shapes = ((), (0,), (-1,), (1, *array.shape), array.shape[::-1], (*array.shape[:-1], 0))
    shape = pick(rng, shapes)
    if shape == () or 0 in shape:
        del file[name]
        file.create_dataset(name, shape, array.dtype)
    elif array.dtype.kind != "O":
        _replace(file, name, array.reshape(shape))


def cropped(file: h5py.File, name: str, rng: Rng) -> None:
    data = file[name][()]
    if np.ndim(data):
        axis = int(rng.integers(np.ndim(data)))
        kept = int(rng.integers(data.shape[axis] + 1))
        kind = file[name].dtype
        _replace(file, name, np.take(data, range(kept), axis), dtype=kind)


def claimed(file: h5py.File, name: str, rng: Rng) -> None:
    """A huge size without any data, or with very little."""
    old = file[name]
    shape = [int(n * rng.choice([1, 1000, 10**6])) for n in old.shape or (1,)]
    kind = old.dtype
    del file[name]
    made = file.create_dataset(name, shape, kind, chunks=tuple(min(n, 8) for n in shape))
    if rng.random() < 0.5 and kind.kind in "fiuc":
        made[(0,) * len(shape)] = 1


def packed(file: h5py.File, name: str, rng: Rng) -> None:
    """Small on the disk, large in memory."""
    old = file[name]
    if old.dtype.kind in "fiuc" and old.ndim:
        data = np.zeros([4 * n for n in old.shape], old.dtype)
        _replace(file, name, data, compression="gzip", compression_opts=9)


def linked(file: h5py.File, name: str, rng: Rng) -> None:
    link = pick(
        rng,
        (
            h5py.SoftLink(f"/{name}"), h5py.SoftLink("/"), h5py.SoftLink("nowhere"),
            h5py.ExternalLink("/etc/passwd", "/"), h5py.ExternalLink(file.filename, f"/{name}"),
            h5py.ExternalLink("/dev/zero", name), file["/"],
        ),
    )  # fmt: skip
    del file[name]
    file[name] = link


def virtual(file: h5py.File, name: str, rng: Rng) -> None:
    old = file[name]
    if old.ndim and old.dtype.kind in "fiuc":
        layout = h5py.VirtualLayout(old.shape, old.dtype)
        source = pick(rng, (file.filename, "/dev/zero", "."))
        layout[:] = h5py.VirtualSource(source, name, old.shape)
        del file[name]
        file.create_virtual_dataset(name, layout)


def external(file: h5py.File, name: str, rng: Rng) -> None:
    old = file[name]
    if old.dtype.kind in "fiuc" and old.ndim:
        shape, kind = old.shape, old.dtype
        place = pick(rng, ("/dev/zero", "/etc/passwd", "nowhere", "/dev/stdin"))
        del file[name]
        file.create_dataset(name, shape, kind, external=[(place, 0, h5py.h5f.UNLIMITED)])


def deleted(file: h5py.File, name: str, rng: Rng) -> None:
    del file[name]
    if rng.random() < 0.5:
        file.create_group(name)


def other_values(file: h5py.File, name: str, rng: Rng) -> None:
    """In one element, of a compound in one member of it."""
    entry = file[name]
    if h5py.check_string_dtype(entry.dtype) and entry.shape == ():
        edit = pick(rng, (spoil_text, spoil_bytes, with_doctype, nested))
        spoilt = edit(bytes(entry[()]), rng)
        _replace(file, name, spoilt.replace(b"\0", b""))
    elif entry.size and entry.dtype.kind in "Vfiuc":
        data = np.array(entry[()])
        member = data
        while member.dtype.names:
            member = member[pick(rng, member.dtype.names)]
        place = tuple(int(rng.integers(n)) for n in member.shape)
        if member.dtype.kind == "O":  # of variable length
            member[place] = member[place][: rng.integers(len(member[place]) + 1)]
        elif member.dtype.kind in "iufc":
            member[place if rng.random() < 0.5 else ...] = _other(member.dtype, rng)
        entry[...] = data


def _other(kind: np.dtype[Any], rng: Rng) -> Any:
    if kind.kind in "fc":
        return pick(rng, (np.nan, np.inf, -1e30, 1e38, 1e14, 0.0, 1e-14, 1e-40))
    info = np.iinfo(kind)
    return int(np.clip(pick(rng, (*INTEGERS, -1)), info.min, info.max))


def with_doctype(xml: bytes, rng: Rng) -> bytes:
    entity = b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd"><!ENTITY b "&e;&e;">]>'
    return entity + xml.replace(b"<x>", b"<x>&b;", 1)


def nested(xml: bytes, rng: Rng) -> bytes:
    return b"<encoding>" * int(rng.choice([10, 10**5])) + xml


def attributes(file: h5py.File, name: str, rng: Rng) -> None:
    holder = pick(rng, (file, file[name]))
    values = (b"", "text", 3, np.nan, np.zeros((0,)), np.zeros(1000), h5py.Empty("f4"), b"\xff")
    known = (*holder.attrs, "header", "MATLAB_class", "acquisition")
    holder.attrs[pick(rng, known)] = pick(rng, values)


HDF5_EDITS: tuple[Callable[[h5py.File, str, Rng], None], ...] = (
    retyped, reshaped, cropped, claimed, packed, linked, virtual, external, deleted,
    other_values, other_values, other_values, attributes,
)  # fmt: skip
