"""Noise in a file of its own whitens as the same noise in the scan does."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat
from tiny import tiny_scan

from gleam.errors import BadInput
from gleam.formats import write_scan
from gleam.formats.layout import Layout
from gleam.preparation import jobs
from gleam.preparation.noise_file import read_noise
from gleam.preparation.prepare import Prepared, Settings

Noise = NDArray[np.complex64]


@pytest.fixture
def noise() -> Noise:
    """(coil, samples), correlated."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    white = rng.normal(size=(3, 240)) + 1j * rng.normal(size=(3, 240))
    return (mixing @ white).astype(np.complex64)


def write_cfl(path: Path, array: Noise, *sizes: int) -> None:
    path.with_suffix(".hdr").write_text("# Dimensions\n" + " ".join(map(str, sizes)) + "\n")
    array.ravel(order="F").tofile(path)


def save(path: Path, noise: Noise, how: str) -> Path:
    if how == "npy":
        np.save(path.with_suffix(".npy"), noise.astype(np.complex128))
    elif how == "mat":
        savemat(path.with_suffix(".mat"), {"noise": noise})
    elif how == "cfl":
        write_cfl(path.with_suffix(".cfl"), noise, 3, 240)
    elif how == "BART's":
        write_cfl(path.with_suffix(".cfl"), noise.T, 240, 1, 1, 3)
        return path  # as BART names it
    elif how == "scan":  # all its samples
        np.save(path.with_suffix(".npy"), noise.reshape(3, 12, 20))
    (file,) = (file for file in path.parent.glob(f"{path.name}.*") if file.suffix != ".hdr")
    return file


@pytest.mark.parametrize("how", ["npy", "mat", "cfl", "BART's", "scan"])
def test_noise_is_read_from_arrays_and_scans(tmp_path: Path, noise: Noise, how: str) -> None:
    found = read_noise(save(tmp_path / "noise", noise, how))
    np.testing.assert_array_equal(found, noise)
    assert found.dtype == np.complex64


def test_one_coil_has_noise_too(tmp_path: Path, noise: Noise) -> None:
    np.save(tmp_path / "noise.npy", noise[:1])
    write_cfl(tmp_path / "noise.cfl", noise[:1], 1, 240)
    write_cfl(tmp_path / "barts.cfl", noise[:1], 240)
    savemat(tmp_path / "noise.mat", {"noise": noise[:1]})
    for name in ("noise.npy", "noise.cfl", "barts.cfl", "noise.mat"):
        np.testing.assert_array_equal(read_noise(tmp_path / name), noise[:1])


def test_axes_are_those_of_arrays_alone(tmp_path: Path, noise: Noise) -> None:
    np.save(tmp_path / "noise.npy", noise.reshape(3, 12, 20).transpose(1, 2, 0))
    found = read_noise(tmp_path / "noise.npy", Layout.parse("y x coil"))
    np.testing.assert_array_equal(found, noise)
    write_scan(tiny_scan(), tmp_path / "noise.h5")
    assert len(read_noise(tmp_path / "noise.h5", Layout.parse("y x coil"))) == 3


def test_it_whitens_as_a_noise_scan_does(tmp_path: Path, noise: Noise) -> None:
    np.save(tmp_path / "noise.npy", noise)
    scan, other = tiny_scan(), replace(tiny_scan(), noise=2j * noise[::-1])
    own = Prepared(replace(scan, noise=noise), Settings())
    for one in (scan, other):
        named = Prepared(one, Settings(noise=tmp_path / "noise.npy"))
        assert named.header == own.header
        np.testing.assert_array_equal(named[0].kspace, own[0].kspace)
    doubtful = replace(
        scan, warnings=("its own: it was left out, and coils are not whitened", "odd")
    )
    named = Prepared(doubtful, Settings(noise=tmp_path / "noise.npy"))
    assert named.header.warnings == ("odd",)
    plain = Prepared(scan, Settings())
    assert plain.header.scale != own.header.scale


def test_another_noise_is_another_preparation(tmp_path: Path, noise: Noise) -> None:
    source, file, out = tmp_path / "scan.h5", tmp_path / "noise.npy", tmp_path / "out"
    out.mkdir()
    write_scan(tiny_scan(), source)
    np.save(file, noise)

    def status(settings: Settings) -> str:
        return jobs.prepare_one(source, out, settings, force=True)[0].status

    assert status(Settings()) == "prepared"
    assert status(Settings(noise=file)) == "prepared"
    assert status(Settings(noise=file)) == "kept"
    os.utime(file, ns=(1, 1))
    assert status(Settings(noise=file)) == "prepared"
    np.save(file, noise[:2])
    (outcome,) = jobs.prepare_one(source, out, Settings(noise=file), force=True)
    assert (outcome.status, outcome.reason) == (
        "skipped",
        "noise.npy: is no noise for scan: it has 2 coils, the scan 3; give noise acquired with the "
        "scan's coils",
    )


def test_noise_of_other_coils_is_refused(tmp_path: Path, noise: Noise) -> None:
    np.save(tmp_path / "noise.npy", noise[:2])
    with pytest.raises(BadInput, match=r"noise\.npy: is no noise for tiny: it has 2 coils, the sc"):
        Prepared(tiny_scan(), Settings(noise=tmp_path / "noise.npy"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda noise: noise.T, "3 samples of 240 coils"),
        (lambda noise: noise[:, :74], "74 samples of 3 coils .* 20 %; give 25 samples"),
        (lambda noise: noise * np.nan, "not finite"),
        (lambda noise: noise[[0, 1, 1]], "coil 2"),
        (lambda noise: noise * 0, "coil 0"),
        (lambda noise: noise[0], "holds an array of shape"),
        (lambda noise: noise.real, "expected complex"),
    ],
)
def test_what_is_no_noise_is_refused(tmp_path: Path, noise: Noise, change, says) -> None:  # type: ignore[no-untyped-def]
    np.save(tmp_path / "noise.npy", change(noise))
    with pytest.raises(BadInput, match=rf"noise\.npy: .*{says}"):
        read_noise(tmp_path / "noise.npy")
    with pytest.raises(BadInput, match="no such file"):
        read_noise(tmp_path / "none.npy")


@pytest.mark.parametrize("fault", ["a coil that is switched off", "few samples"])
def test_a_noise_scan_that_whitens_nothing_is_left_out(noise: Noise, fault: str) -> None:
    """In a file of noise it is a mistake, which can be mended; in a scanner's file it cannot."""
    useless = (
        noise[:, :74] if fault == "few samples" else noise * np.array([[1], [0], [1]], np.float32)
    )
    scan = tiny_scan()
    example = Prepared(replace(scan, noise=useless), Settings())
    without = Prepared(scan, Settings())
    np.testing.assert_array_equal(example[0].kspace, without[0].kspace)
    (warning,) = example.header.warnings
    assert warning.endswith("coils are not whitened")
