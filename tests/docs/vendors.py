"""Simulated scans in other people's formats, written by their own libraries."""

import shutil
from pathlib import Path

import h5py
import ismrmrd
import nibabel
import numpy as np
import twixtools
from scanner import Scanner
from scipy.io import savemat
from twix_files import header, line

from gleam.formats import Scan, write_scan
from gleam.simulation import simulate_scan


def drawn(shape: tuple[int, ...] = (32, 48), frames: int = 1, seed: int = 7, **kind: int) -> Scan:
    """A scan as a scanner would see it, its readout oversampled twice."""
    kind = {"coils": 3, "slices": 1, "oversampling": 2} | kind
    return simulate_scan(shape, snr=50.0, seed=seed, frames=frames, name="scan", **kind)


def ismrmrd_file(scan: Scan, path: Path) -> None:
    """A line of k-space for each phase encoding, slice and frame; and a noise scan before them."""
    coils, frames, readout, lines = scan.kspace.shape[1:]
    voxels = (scan.voxel[0], scan.voxel[1], 5.0)
    fov = (readout * voxels[0], lines * voxels[1], 5.0)
    scanner = Scanner(
        encoded=(readout, lines, 1),
        recon=(scan.matrix[0], lines, 1),
        fov=fov,
        recon_fov=(fov[0] / 2, *fov[1:]),
        coils=coils,
    )
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(coils, 4 * readout, 2)) @ [1, 1j]
    level = np.abs(scan.kspace[0]).max() / 1e4
    scanner.acquire(0, data=level * noise, centre=0, flags=(ismrmrd.ACQ_IS_NOISE_MEASUREMENT,))
    for place in range(len(scan.kspace)):
        kspace = scan.kspace[place]
        for frame in range(frames):
            for n in range(lines):
                data = kspace[:, frame, :, n]
                scanner.acquire(n, data=data, distance=5.0 * place, slice=place, phase=frame)
    scanner.write(path)


def twix_file(scan: Scan, path: Path) -> None:
    """One measurement with its noise scan, as the tool `twix` copies it."""
    kspace = scan.kspace[0]
    coils, _, readout, lines = kspace.shape
    rng = np.random.default_rng(0)
    noise = np.abs(kspace).max() / 1e4 * rng.normal(size=(2, coils, readout, 2)) @ [1, 1j]
    measured = [line(some, flags=["NOISEADJSCAN"]) for some in noise]
    measured += [line(kspace[:, 0, :, n], Lin=n, CenterLin=lines // 2) for n in range(lines)]
    protocol = {"sKSpace__lBaseResolution": readout // 2, "sKSpace__lPhaseEncodingLines": lines}
    twixtools.write_twix([{"hdr_str": header(**protocol), "mdb": measured}], str(path))


def cmrxrecon_file(scan: Scan, path: Path) -> None:
    """MATLAB 7.3, (nx, ny, coil, slice, frame) as MATLAB has it."""
    kspace = np.stack([scan.kspace[n] for n in range(len(scan.kspace))])
    array = kspace.transpose(3, 4, 1, 0, 2)
    with h5py.File(path, "w", userblock_size=512) as file:
        pairs = np.ascontiguousarray(array.T).view([("real", "<f4"), ("imag", "<f4")])
        file["kspace_full"] = pairs
        file["kspace_full"].attrs["MATLAB_class"] = np.bytes_("single")
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")


def write_all(folder: Path) -> None:
    """Every vendor's file that a page speaks of."""
    scan, heart, volume = drawn(), drawn((24, 32), 8, oversampling=1), drawn((24, 20, 16), seed=8)
    twix_file(scan, folder / "meas.dat")
    twix_file(scan, folder / "prescan.dat")
    ismrmrd_file(scan, folder / "siemens.h5")
    for name in ("ge.h5", "philips.h5", "scan.mrd", "knee.h5", "prescan.mrd"):
        shutil.copy(folder / "siemens.h5", folder / name)
    ismrmrd_file(drawn((24, 32), 8), folder / "heart.h5")
    write_scan(scan, folder / "file1000001.h5")
    kspace = scan.kspace[0][:, 0]
    np.save(folder / "scan.npy", kspace)
    savemat(folder / "brain.mat", {"kspace": kspace.transpose(1, 2, 0)})
    savemat(folder / "images.mat", {"images": heart.kspace[0][0].transpose(1, 2, 0)})
    for name, one in (("brain", drawn(oversampling=1)), ("knee", volume), ("heart", heart)):
        write_scan(one, folder / f"{name}.cfl")
    (folder / "volumes").mkdir()
    array = {"kspace": volume.kspace[0].transpose(4, 3, 2, 1, 0), "other": np.ones((4, 5)) + 1j}
    savemat(folder / "volumes" / "volume.mat", array)
    cmrxrecon_file(drawn((30, 24), 6, slices=2, oversampling=1), folder / "cine_sax.mat")
    image = np.random.default_rng(0).uniform(size=(20, 24, 26))
    nibabel.save(nibabel.Nifti1Image(image, np.diag([2.0, 2, 2, 1])), folder / "T1.nii.gz")
