"""Every reader keeps the contract of lazy k-space, `Slices`: some coils, and no more."""

import tracemalloc
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import h5py
import matlab_files
import numpy as np
import pytest
import twixtools
from numpy.typing import NDArray
from scanner import Scanner
from seeds import AXES, KINDS
from tiny import tiny_scan
from twix_files import header, line

from gleam.data.example import write
from gleam.formats import Layout, lazy, read_scan, read_scans
from gleam.formats.lazy import each_coil
from gleam.formats.memory import array_scan
from gleam.formats.mrd.kspace import Assembled
from gleam.formats.scan import Array, Place, Slices
from gleam.preparation.prepare import Prepared, Settings

COILS, SPACE = 16, (64, 16, 12)  # of a volume that shows how much memory is taken
VOLUME = Layout.parse("coil z:readout y x")


def refuses(kspace: Slices, index: int) -> bool:
    try:
        kspace[index]
    except IndexError:
        return True
    return False


def check_kspace(kspace: Slices) -> None:
    """Whether it keeps what `Slices` promises."""
    slices, coils, *_ = kspace.shape
    for index in range(slices):
        whole = kspace[index]
        assert whole.shape == kspace.shape[1:], "a slice of another shape"
        assert whole.dtype == np.complex64, "numbers of another type"
        assert np.isfinite(whole).all(), "numbers that are not finite"
        for first, stop in ((0, 1), (coils - 1, coils), (0, coils - 1), (1, coils + 3)):
            some = kspace[index, first:stop]
            assert np.array_equal(some, whole[first:stop]), "coils are not those of the slice"
        assert np.array_equal(kspace[index], whole), "another time it is other"
    assert refuses(kspace, slices), "a slice too many"
    tracemalloc.start()
    try:
        kspace[0, :1]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    most = 8 * np.prod(kspace.shape[1:]) / 2 + 2**17
    assert peak < most, "a coil takes the memory of all"


@pytest.mark.parametrize(
    "kind", [k for k in KINDS if k not in ("nifti", "ismrmrd-header", "example")]
)
def test_contract(kind: str, tmp_path: Path) -> None:
    layout = AXES if kind.startswith("matlab") else None
    read = [r for path in KINDS[kind].make(tmp_path) for r in read_scans(path, layout).values()]
    assert read
    for one in read:
        kspace = one().kspace
        check_kspace(kspace)
        for given, dtype in ((None, np.complex64), (np.complex128, np.complex128)):
            array = np.asarray(kspace, given)
            assert array.dtype == dtype
            assert np.array_equal(array, [kspace[index] for index in range(kspace.shape[0])])


def test_contract_of_arrays(volume: NDArray[np.complex64]) -> None:
    check_kspace(array_scan("volume", volume, VOLUME).kspace)
    lines = np.arange(SPACE[1])[:, None] % 2 == 0
    check_kspace(array_scan("volume", volume, VOLUME, lines).kspace)


@pytest.fixture(scope="module")
def volume() -> NDArray[np.complex64]:
    """(coil, readout, phase 1, phase 2)."""
    random = np.random.default_rng(0)
    return (random.normal(size=(COILS, *SPACE)) + 1j).astype(np.complex64)


def ismrmrd(volume: Array, folder: Path) -> Path:
    scanner = Scanner(encoded=volume.shape[1:], recon=volume.shape[1:], coils=len(volume))
    for n, p in product(*map(range, volume.shape[2:])):
        scanner.acquire(n, p, data=volume[:, :, n, p])
    return scanner.write(folder / "volume.h5")


def twix(volume: Array, folder: Path) -> Path:
    _, columns, rows, partitions = volume.shape
    lines = [
        line(volume[:, :, n, p], Lin=n, Par=p, CenterLin=rows // 2, CenterPar=partitions // 2)
        for n, p in product(*map(range, volume.shape[2:]))
    ]
    protocol = {
        "sKSpace__ucDimension": "0x4",
        "sKSpace__lBaseResolution": columns // 2,
        "sKSpace__lPhaseEncodingLines": rows,
        "sKSpace__lPartitions": partitions,
        "sKSpace__lImagesPerSlab": partitions,
    }
    scans = [{"hdr_str": header(**protocol), "mdb": lines}]
    twixtools.write_twix(scans, str(folder / "volume.dat"))
    return folder / "volume.dat"


def npy(volume: Array, folder: Path) -> Path:
    np.save(folder / "volume.npy", volume)
    return folder / "volume.npy"


def cfl(volume: Array, folder: Path) -> Path:
    (folder / "volume.hdr").write_text(f"# Dimensions\n{' '.join(map(str, (*SPACE, COILS)))}\n")
    volume.transpose(1, 2, 3, 0).flatten("F").tofile(folder / "volume.cfl")
    return folder / "volume.cfl"


def hdf5(volume: Array, folder: Path) -> Path:
    with h5py.File(folder / "volume.h5", "w") as file:
        file["kspace"] = volume
    return folder / "volume.h5"


def matlab(volume: Array, folder: Path) -> Path:
    matlab_files.save73(folder / "volume.mat", kspace=volume)
    return folder / "volume.mat"


FILES: dict[Callable[[Array, Path], Path], Layout | None] = {
    ismrmrd: None,
    twix: None,
    cfl: None,
    npy: VOLUME,
    hdf5: VOLUME,
    matlab: VOLUME,
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.__name__)
def test_contract_of_volumes(
    file: Callable[[Array, Path], Path], volume: Array, tmp_path: Path
) -> None:
    kspace = read_scan(file(volume, tmp_path), FILES[file]).kspace
    assert kspace.shape == (1, COILS, 1, *SPACE)
    np.testing.assert_array_equal(kspace[0][:, 0], volume)
    check_kspace(kspace)


def test_contract_of_arrays_in_memory(volume: Array) -> None:
    check_kspace(volume[None, :, None])


class Broken:
    """Breaks one rule."""

    def __init__(self, rule: str, kspace: Array) -> None:
        self.rule, self.kspace, self.asked = rule, kspace, 0
        self.shape = kspace.shape

    def __getitem__(self, place: Place, /) -> Array:
        self.asked += 1
        if self.rule == "too many" and place == len(self.kspace):
            place = 0
        if self.rule == "memory of all":
            self.copy = self.kspace.copy()
        some = self.kspace[place]
        if self.rule == "another shape":
            return some[..., 1:]
        if self.rule == "another type":
            return some.astype(np.complex128)
        if self.rule == "not finite":
            return some * np.complex64(np.nan)
        if self.rule == "not those of the slice" and not isinstance(place, int):
            return some[::-1] + np.complex64(1)
        if self.rule == "another time":
            return some + np.complex64(self.asked > 5)
        return some


RULES = [
    "another shape",
    "another type",
    "not finite",
    "not those of the slice",
    "another time",
    "too many",
    "memory of all",
]


@pytest.mark.parametrize("rule", ["", *RULES])
def test_contract_that_is_broken_is_noticed(rule: str, volume: Array) -> None:
    broken = Broken(rule, volume[None, :, None])
    if not rule:
        check_kspace(broken)
        return
    with pytest.raises(AssertionError, match=rule):
        check_kspace(broken)


@pytest.mark.parametrize("at_once", [1, 2, 3, 9])
def test_coils_come_a_few_at_a_time(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kspace = (np.arange(2 * 5 * 6).reshape(2, 5, 1, 2, 3) + 0j).astype(np.complex64)
    asked: list[Place] = []

    class Watched(Broken):
        def __getitem__(self, place: Place, /) -> Array:
            asked.append(place)
            return super().__getitem__(place)

    monkeypatch.setattr(lazy, "AT_ONCE", at_once * 8 * 6)
    coils: Iterator[Array] = each_coil(Watched("", kspace), 1)
    np.testing.assert_array_equal(list(coils), kspace[1])
    assert [len(range(*some.indices(5))) for _, some in asked] == {
        1: [1] * 5, 2: [2, 2, 1], 3: [3, 2], 9: [5]
    }[at_once]  # fmt: skip


@pytest.mark.parametrize("file", [ismrmrd, twix])
def test_scanners_volumes_are_prepared_coil_by_coil(
    file: Callable[[Array, Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever reads them on the way to an example never asks for all of a volume."""
    asked: list[Place] = []
    get = Assembled.__getitem__

    def watched(kspace: Assembled, place: Place) -> Array:
        asked.append(place)
        return get(kspace, place)

    monkeypatch.setattr(lazy, "AT_ONCE", 1)
    monkeypatch.setattr(Assembled, "__getitem__", watched)
    small = tiny_scan((16, 18, 16), slices=1, coils=3, oversampling=1).kspace[0][:, 0]
    write(Prepared(read_scan(file(small, tmp_path)), Settings(calibration=6)), tmp_path / "e.h5")
    assert {str(place) for place in asked} == {str((0, slice(n, n + 1))) for n in range(3)}
