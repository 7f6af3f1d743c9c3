"""Files by ISMRMRD's own tools, by a scanner, and by the `ismrmrd` package."""

import math
import pickle
import shutil
import subprocess
from itertools import pairwise

import h5py
import ismrmrd
import nibabel
import numpy as np
import pydicom
import pytest
import torch
from PIL import Image
from scanner import OBLIQUE, Scanner
from tiny import CG_SENSE, ZERO_FILLED

from gleam.arrays import crop
from gleam.formats import Volume, image_writer, read_scan, write_scan
from gleam.formats.scan import centred_affine
from gleam.physics.fourier import ifft, shift_free
from gleam.preparation.prepare import Prepared, Settings
from gleam.reconstruction.reconstruct import reconstruct

READ = {"rtol": 2e-5, "atol": 2e-4}


def run(*command, cwd=None):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed (Debian: ismrmrd-tools, bart)")
    subprocess.run([str(word) for word in command], check=True, capture_output=True, cwd=cwd)


@pytest.mark.parametrize(
    "options",
    [
        ["-c", 1, "-O", 1],
        ["-c", 8],
        ["-c", 3, "-O", 3, "-C"],
        ["-c", 4, "-r", 3, "-n", 0.5],
        ["-c", 4, "-a", 2, "-w", 16, "-C"],
        ["-c", 2, "-a", 4, "-r", 2, "-k"],
    ],
)
def test_a_phantom_as_the_tools_own_reconstruction_has_it(tmp_path, options):
    """Their reconstruction keeps the last repetition of every line."""
    path = tmp_path / "phantom.h5"
    run("ismrmrd_generate_cartesian_shepp_logan", "-m", 64, *options, "-o", path)
    run("ismrmrd_recon_cartesian_2d", path)
    with h5py.File(path) as file:
        expected = file["dataset/cpp/data"][0, 0, 0]  # (phase, readout)

    given = {"-a": 1, "-r": 1, "-w": 0, **dict(pairwise(options))}
    scan = read_scan(path)
    slices, coils, frames, *space = scan.kspace.shape
    assert (slices, coils, frames) == (1, given["-c"], given["-a"] * given["-r"])
    assert (scan.noise is None) == ("-C" not in options)
    assert (scan.calibration is None) == (given["-a"] > 1 and not given["-w"])
    last = np.zeros((coils, *space), np.complex64)
    for frame, sampled in enumerate(scan.sampled):
        last = np.where(sampled, scan.kspace[0][:, frame], last)
    images = ifft(shift_free(torch.from_numpy(last), (-2, -1)), (-2, -1)) * math.sqrt(last[0].size)
    image = crop(images.abs().square().sum(0).sqrt(), scan.matrix).numpy().T
    assert image.shape == expected.shape
    assert np.abs(image - expected).max() < 1e-4 * expected.max()


def test_a_scanners_file(shared_data):
    """Siemens 3T: noise, every third line and a centre, oversampling, partial Fourier.

    The lines are read one by one with the `ismrmrd` package.
    """
    path = shared_data / "ismrmrd_Skyra_R3acs_14ch.h5"
    scan = read_scan(path)
    expected = np.zeros((14, 384, 144), np.complex64)
    sampled = np.zeros(144, bool)
    with ismrmrd.Dataset(path, mode="r") as file:
        for index in range(file.number_of_acquisitions()):
            line = file.read_acquisition(index)
            if line.is_flag_set(ismrmrd.ACQ_IS_NOISE_MEASUREMENT):
                noise = line.data * np.sqrt(line.sample_time_us / 0.793)
            else:
                row = line.idx.kspace_encode_step_1 + 72 - 54
                expected[:, :, row], sampled[row] = line.data, True
                dwell = line.sample_time_us
    np.testing.assert_array_equal(scan.kspace[0][:, 0], expected)
    np.testing.assert_array_equal(scan.sampled[0], np.broadcast_to(sampled, (384, 144)))
    np.testing.assert_allclose(scan.noise, noise / np.sqrt(dwell), rtol=1e-5)
    assert sampled.sum() == 68
    assert scan.calibration == ((0, 384), (48, 97))
    assert scan.matrix == (192, 144)
    assert scan.voxel == pytest.approx((560 / 384, 210 / 144, 8))
    assert scan.contrast["TE"] == 1.62
    assert not scan.complete
    # The centre of the field of view, and from there the way of the readout and of the phase.
    np.testing.assert_allclose((scan.affine @ [72, 96, 0, 1])[:3], [20.0483, 66.57, 0], atol=1e-3)
    np.testing.assert_allclose(scan.affine[:3, :2].T, [[0, 1.4583, 0], [-1.4583, 0, 0]], atol=1e-4)


@pytest.mark.slow
def test_a_scanners_file_as_bart_reconstructs_it(shared_data, tmp_path):
    """CG-SENSE after whitening; coil sensitivities are each program's own."""
    scan = read_scan(shared_data / "ismrmrd_Skyra_R3acs_14ch.h5")
    write_scan(scan, tmp_path / "k.cfl")
    (tmp_path / "noise.hdr").write_text("# Dimensions\n384 1 1 14\n")
    scan.noise.tofile(tmp_path / "noise.cfl")
    for command in (
        "whiten k noise white unused",
        "ecalib -m 1 -r 24 white maps",
        "pics -S -l2 -r 0.01 -i 30 white maps image",
    ):
        run("bart", *command.split(), cwd=tmp_path)
    stored = np.fromfile(tmp_path / "image.cfl", np.complex64).reshape(144, 384)
    expected = np.abs(stored.T[96:288])
    image = reconstruct(CG_SENSE, Prepared(scan, Settings())).magnitude[0, 0]
    expected *= (expected * image).sum() / (expected**2).sum()
    assert np.linalg.norm(image - expected) < 0.02 * np.linalg.norm(expected)


@pytest.fixture
def scanner():
    scanner = Scanner()
    scanner.points = [(scanner.voxel(3, -5), 4 + 1j)]
    for line in range(24):
        scanner.acquire(line)
    return scanner


@pytest.mark.parametrize("name", ["scan.h5", "scan.mrd"])
def test_a_file_is_its_lines(tmp_path, scanner, name):
    scan = read_scan(scanner.write(tmp_path / name))
    assert scan.name == "scan"
    np.testing.assert_allclose(scan.kspace[0][:, 0], scanner.ideal(), **READ)
    again = pickle.loads(pickle.dumps(scan))
    np.testing.assert_array_equal(again.kspace[0], scan.kspace[0])
    with pytest.raises(IndexError):
        scan.kspace[1]


@pytest.fixture
def several(tmp_path):
    """A file of eleven measurements: noise and another gain in each; the second has other coils."""
    path = tmp_path / "scan.h5"
    for number in (11, 2, 1, 3):
        scanner = Scanner(coils=2 if number == 2 else 3)
        scanner.points = [(scanner.voxel(3, -5), 4 + 1j)]
        samples = np.full((scanner.coils, 8), number)
        noise = (ismrmrd.ACQ_IS_NOISE_MEASUREMENT,)
        scanner.acquire(0, data=samples, centre=0, flags=noise).sample_time_us = 5.0 * number
        for line in range(24):
            scanner.acquire(line, gain=number)
        scanner.write(path, group=f"dataset_{number}")
    return path


@pytest.mark.parametrize("suffix", [".h5", ".mrd"])
def test_the_last_of_several_measurements_is_the_scan(several, scanner, suffix):
    scan = read_scan(several.rename(several.with_suffix(suffix)))
    np.testing.assert_allclose(scan.kspace[0][:, 0], scanner.ideal(gain=11), rtol=2e-5, atol=2e-3)
    assert scan.format == "ISMRMRD, dataset_11 of 4 measurements"
    # Noise of those before it, of as many coils, each with its own bandwidth.
    expected = np.repeat([n * n**0.5 for n in (3, 1, 11)], 8)
    np.testing.assert_allclose(np.sort(scan.noise[0].real), np.sort(expected), rtol=1e-6)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(scan)).kspace[0], scan.kspace[0])


def test_another_measurement_may_be_chosen(several, scanner, refused):
    scan = read_scan(several, measurement="dataset_3")
    np.testing.assert_allclose(scan.kspace[0][:, 0], scanner.ideal(gain=3), **READ)
    assert scan.noise.shape == (3, 16)
    said = refused(lambda path: read_scan(path, measurement="dataset_4"), several)
    assert "--group is one of dataset_1, dataset_2, dataset_3, dataset_11" in said


def test_a_measurement_of_any_name_may_be_chosen(tmp_path, scanner):
    path = scanner.write(tmp_path / "scan.h5", group="mine")
    np.testing.assert_allclose(
        read_scan(path, measurement="mine").kspace[0][:, 0], scanner.ideal(), **READ
    )


@pytest.mark.parametrize("unknown", [("active_channels",), ("number_of_samples",), None])
def test_heads_without_sizes_are_filled_in_from_the_data(tmp_path, scanner, unknown):
    """As converters of Bruker's data leave them (https://github.com/MagneticResonanceImaging)."""
    path = scanner.write(tmp_path / "scan.h5")
    with h5py.File(path, "a") as file:
        data = file["dataset/data"][()]
        for field in unknown or ("active_channels", "number_of_samples"):
            data["head"][field] = 0
        file["dataset/data"][...] = data
    np.testing.assert_allclose(read_scan(path).kspace[0][:, 0], scanner.ideal(), **READ)


def test_heads_without_sizes_whose_data_do_not_tell_them_are_refused(tmp_path, scanner, refused):
    path = scanner.write(tmp_path / "scan.h5")
    with h5py.File(path, "a") as file:
        data = file["dataset/data"][()]
        data["head"]["active_channels"] = data["head"]["number_of_samples"] = 0
        data["data"][5] = data["data"][5][:-2]
        file["dataset/data"][...] = data
    assert "acquisition 5 has 190 numbers, but its head says 0" in refused(read_scan, path)


@pytest.mark.parametrize("suffix", [".h5", ".mrd"])
@pytest.mark.parametrize("stream", [False, True])
def test_version_2_is_named(tmp_path, refused, suffix, stream):
    path = tmp_path / f"scan{suffix}"
    if stream:
        path.write_bytes(b"yardl\x01\x00\x00\x00" + bytes(100))
    else:
        with h5py.File(path, "w") as file:
            file["Mrd/$yardl_schema"] = "{}"
            file.create_group("Mrd/data")
    said = refused(read_scan, path)
    assert "is MRD version 2; convert it to version 1" in said
    assert "| ismrmrd_stream_to_hdf5 --use-stdin -o scan.h5" in said
    assert ("mrd_hdf5_to_stream" in said) == (not stream)


@pytest.mark.parametrize("chunks", [None, (1,), (7,)])
def test_other_ways_to_store_the_same_acquisitions(tmp_path, scanner, chunks):
    path = scanner.write(tmp_path / "scan.h5")
    with h5py.File(path, "a") as file:
        data = file["dataset/data"][()]
        del file["dataset/data"]
        file["dataset"].create_dataset("data", data=data, chunks=chunks)
    np.testing.assert_allclose(read_scan(path).kspace[0][:, 0], scanner.ideal(), **READ)


def test_ocmrs_cine(tmp_path):
    """OCMR (arXiv 2008.03410), as its `read_ocmr.py` describes it: k-space of size (maximum of the
    lines + 1), samples missing at the start of the readout, phases, averages, slices."""
    scanner = Scanner(encoded=(48, 30, 1), recon=(24, 26, 1), step_1=(19, 9), position=(0, 0, 0))
    scanner.points = [(scanner.voxel(4, 3), 1)]
    samples, phases, averages = 38, 5, 2
    acquired = np.zeros((48, 20, 3, phases, 2, averages), np.complex64)
    rng = np.random.default_rng(0)
    for average in range(averages):
        for segment in range(4):
            for index in (1, 0):
                for phase in range(phases):
                    for line in range(segment, 20, 4):
                        if (line + phase) % 3 == 0:
                            continue  # prospectively undersampled
                        gain = 1 + phase + rng.random()
                        one = scanner.acquire(
                            line,
                            first=24 - samples,
                            samples=samples,
                            gain=gain,
                            distance=8.0 * index,
                            average=average,
                            segment=segment,
                            slice=index,
                            phase=phase,
                        )
                        acquired[48 - samples :, line, :, phase, index, average] = one.data.T
    header = scanner.header()
    header.sequenceParameters = ismrmrd.xsd.sequenceParametersType(TR=[41.7], echo_spacing=[2.8])
    scan = read_scan(scanner.write(tmp_path / "us_0001_1_5T.h5", header))
    mean = acquired.mean(axis=-1)
    assert scan.kspace.shape == (2, 3, phases, 48, 30)
    for index in range(2):
        found = scan.kspace[index][..., 6:26]  # line 9 goes to 15
        np.testing.assert_allclose(found, mean[..., index].transpose(2, 3, 0, 1), **READ)
    np.testing.assert_array_equal(
        scan.sampled[..., 6:26], mean[:, :, 0, :, 0].transpose(2, 0, 1) != 0
    )
    assert scan.sampled.sum() == (mean[:, :, 0, :, 0] != 0).sum()
    assert scan.voxel[2] == 8
    assert scan.contrast == {"TR": 41.7, "frame_time": 41.7}


def test_the_time_between_frames_goes_into_images(tmp_path):
    scanner = Scanner()
    scanner.points = [(scanner.voxel(4, 3), 1)]
    for phase, line in np.ndindex(3, 24):
        acquired = scanner.acquire(line, gain=1.0 + phase, phase=phase)
        acquired.acquisition_time_stamp = 24 * phase + line
    header = scanner.header()
    header.acquisitionSystemInformation = ismrmrd.xsd.acquisitionSystemInformationType(
        systemVendor="SIEMENS"
    )
    scan = read_scan(scanner.write(tmp_path / "cine.h5", header))
    volume = reconstruct(ZERO_FILLED, Prepared(scan, Settings()))
    nifti, series, movie = (tmp_path / name for name in ("cine.nii.gz", "series", "cine.webp"))
    for path in (nifti, series, movie):
        image_writer(path)(volume, path)
    assert nibabel.load(nifti).header.get_zooms()[3] == pytest.approx(0.06)
    assert {pydicom.dcmread(path).TemporalResolution for path in series.iterdir()} == {60}
    with Image.open(movie) as picture:
        picture.load()
        assert picture.info["duration"] == 60


def test_mridata_orgs_3d_knees(tmp_path):
    """GE's converter: no oversampling, limits of 0 along the slab, `rec_std`, corners of zeros."""
    scanner = Scanner(encoded=(24, 20, 12), recon=(24, 20, 12), fov=(48.0, 40.0, 24.0))
    scanner.recon_fov = scanner.fov
    scanner.points = [(scanner.voxel(-3, 5, 2), 1)]
    y, z = np.meshgrid(np.arange(20) - 10, np.arange(12) - 6, indexing="ij")
    ellipse = (y / 10) ** 2 + (z / 6) ** 2 <= 1
    for partition in range(12):
        for line in range(20):
            kept = ellipse[line, partition]
            scanner.acquire(line, partition, gain=1.0 if kept else 0.0)
    scanner.step_2 = (0, 0)
    path = scanner.write(tmp_path / "knee.h5")
    with ismrmrd.Dataset(path) as file:
        file.append_array("rec_std", np.array([1.0, 2.0, 4.0], np.float32))
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.sampled[0], np.broadcast_to(ellipse, (24, 20, 12)))
    np.testing.assert_allclose(scan.kspace[0][:, 0], scanner.ideal() * ellipse, **READ)
    assert scan.complete
    covariance = scan.noise @ scan.noise.conj().T / scan.noise.shape[1]
    np.testing.assert_allclose(covariance, np.diag([1, 4, 16]), atol=1e-5)
    whitened = Prepared(scan, Settings())
    assert not whitened.header.warnings
    assert whitened.header.noise is not None


@pytest.mark.parametrize("directions", [OBLIQUE, ((0, 1, 0), (0, 0, 1), (1, 0, 0))])
@pytest.mark.parametrize("space", [(12, 10), (8, 12, 10)])
def test_images_are_read_by_the_ismrmrd_package(tmp_path, directions, space):
    """Voxels are where the header says: from the centre, so many steps along the directions."""
    rng = np.random.default_rng(0)
    slices = 1 if len(space) == 3 else 4
    data = rng.normal(size=(slices, 2, *space)) + 1j
    voxel = (1.5, 2.0, 3.0)
    affine = np.eye(4)
    affine[:3, :3] = np.array(directions).T
    affine = affine @ centred_affine(space, voxel, slices)
    affine[:3, 3] += (5, -6, 7)
    path = tmp_path / "image.mrd"
    volume = Volume(data.astype(np.complex64), voxel, affine, method="cg-sense", thickness=0.5)
    image_writer(path)(volume, path)

    with ismrmrd.Dataset(path, mode="r") as file:
        found = [file.read_image("image", i) for i in range(file.number_of_images("image"))]
    assert len(found) == slices * 2
    assert [image.image_index for image in found] == list(range(1, 2 * slices + 1))
    for image in found:
        assert image.image_type == ismrmrd.IMTYPE_MAGNITUDE
        assert image.meta["ImageComments"] == "cg-sense; not for diagnosis"
        x, y, z = (int(n) for n in image.matrix_size)
        at = tuple(int(rng.integers(n)) for n in (z, y, x))
        index = (image.slice, image.phase, *at[::-1][: len(space)])
        assert image.data[0][at] == pytest.approx(abs(data[index]), rel=1e-5)
        place = np.array(image.position, float)
        sizes = zip((x, y, z), at[::-1], image.field_of_view, strict=True)
        axes = (image.read_dir, image.phase_dir, image.slice_dir)
        for axis, (n, i, fov) in zip(axes, sizes, strict=True):
            place += np.array(axis) * fov / n * (i - n // 2)
        if len(space) == 2:
            assert image.field_of_view[2] == 0.5
        # In our affine, x is the last axis; slices of 2D scans come last.
        ours = [*reversed(index[2:]), *([image.slice] if len(space) == 2 else []), 1]
        np.testing.assert_allclose(place, (affine @ ours)[:3], atol=1e-4)


def remove(name):
    def change(file):
        del file[name]

    return change


def change_xml(file):
    file["dataset/xml"][0] = b"<html/>"


def replace_data(dtype, **given):
    def change(file):
        del file["dataset/data"]
        file["dataset"].create_dataset("data", dtype=dtype, **given)

    return change


def compress(file):
    data = file["dataset/data"][()]
    del file["dataset/data"]
    file["dataset"].create_dataset("data", data=data, compression="gzip")


def link(file):
    file["elsewhere"] = file["dataset"]
    del file["dataset"]
    file["dataset"] = h5py.SoftLink("/elsewhere")


ACQUISITION = ismrmrd.hdf5.acquisition_dtype


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove("dataset"), "neither fastMRI"),
        (remove("dataset/xml"), "no dataset 'xml'"),
        (remove("dataset/data"), "no dataset 'data'"),
        (change_xml, "matrixSize/x is ''"),
        (replace_data(np.float32, data=np.ones(5)), "acquisitions of ISMRMRD 1"),
        (replace_data(ACQUISITION, shape=(0,), maxshape=(None,)), "claims 0"),
        (replace_data(ACQUISITION, shape=(10**9,), chunks=(1,)), "almost no data"),
        (replace_data(ACQUISITION, shape=(7,), chunks=(1,)), "almost no data"),
        (compress, "h5repack"),
        (link, "link"),
    ],
)
def test_files_in_another_layout_are_refused(tmp_path, scanner, refused, change, message):
    path = scanner.write(tmp_path / "scan.h5")
    with h5py.File(path, "a") as file:
        change(file)
    assert message in refused(read_scan, path)


@pytest.mark.parametrize("claimed", [0, 191, 2**31, 2**32 - 1])
def test_what_an_acquisition_claims_to_hold_is_checked_first(tmp_path, scanner, refused, claimed):
    """HDF5 itself would take so much memory before it finds the file too small."""
    path = scanner.write(tmp_path / "scan.h5")
    with h5py.File(path) as file:
        at = file["dataset/data"].id.get_chunk_info(3).byte_offset
        at += file["dataset/data"].dtype.fields["data"][1]
    content = bytearray(path.read_bytes())
    assert int.from_bytes(content[at : at + 4], "little") == 2 * 3 * 32
    content[at : at + 4] = claimed.to_bytes(4, "little")
    path.write_bytes(content)
    assert f"acquisition 3 has {claimed} numbers" in refused(read_scan, path)


@pytest.mark.parametrize("deviations", [[1.0, 0.0, 2.0], [1.0, 2.0], [1.0, np.nan, 2.0]])
def test_noise_of_coils_that_nothing_can_be_made_of_is_left_out(tmp_path, scanner, deviations):
    path = scanner.write(tmp_path / "scan.h5")
    with h5py.File(path, "a") as file:
        file["dataset"]["rec_std"] = np.array(deviations)
    scan = read_scan(path)
    assert scan.noise is None
    (warning,) = scan.warnings
    assert "'dataset/rec_std' is not one positive number for each of its 3 coils" in warning
    np.testing.assert_allclose(scan.kspace[0][:, 0], scanner.ideal(), **READ)


def test_files_that_are_cut_off_are_refused(tmp_path, scanner, refused):
    path = scanner.write(tmp_path / "scan.h5")
    path.write_bytes(path.read_bytes()[:-5000])
    refused(read_scan, path)


def test_noise_of_another_file_whitens_as_the_files_own(tmp_path, scanner):
    rng = np.random.default_rng(0)
    samples = (rng.normal(size=(3, 96)) + 1j * rng.normal(size=(3, 96))).astype(np.complex64)
    scanner.write(tmp_path / "without.h5")
    scanner.acquire(0, data=samples, centre=0, flags=(ismrmrd.ACQ_IS_NOISE_MEASUREMENT,))
    scanner.write(tmp_path / "with.h5")
    np.save(tmp_path / "noise.npy", samples)
    scanner.acquisitions = scanner.acquisitions[-1:]
    scanner.write(tmp_path / "alone.h5")
    own = Prepared(read_scan(tmp_path / "with.h5"), Settings())
    for name in ("noise.npy", "with.h5", "alone.h5"):
        settings = Settings(noise=tmp_path / name)
        named = Prepared(read_scan(tmp_path / "without.h5"), settings)
        assert named.header.scale == pytest.approx(own.header.scale)
        np.testing.assert_allclose(named[0].kspace, own[0].kspace, rtol=1e-5, atol=1e-6)
