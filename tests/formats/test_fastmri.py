import pickle
from dataclasses import replace
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gleam.errors import BadInput
from gleam.formats import fastmri
from gleam.formats.mrd.header import Header, serialise
from gleam.formats.scan import Scan, calibration_box, centred_affine

# A knee: two-fold readout oversampling, 8 of 46 columns zero-filled before and 3 after the data.
KNEE = Header(
    encoded=(80, 46, 1),
    encoded_fov=(280.0, 161.0, 4.5),
    recon=(40, 40, 1),
    recon_fov=(140.0, 140.0, 3.0),
    limits=(34, 15),
    contrast={"TR": 2750.0, "TE": 27.0, "flip_angle": 140.0, "field_strength": 2.893},
)
SHAPE = (5, 3, 80, 46)  # slice, coil, readout, phase


def knee_kspace(shape=SHAPE):
    rng = np.random.default_rng(0)
    kspace = (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)
    kspace[..., :8] = 0
    kspace[..., 43:] = 0
    return kspace


@pytest.fixture
def make_file(tmp_path):
    """A file as fastMRI publishes it, from h5py alone; any entry can be replaced or left out."""

    def make(**given):
        entries = {"kspace": knee_kspace(), "ismrmrd_header": serialise(KNEE)} | given
        with h5py.File(tmp_path / "file1000001.h5", "w") as file:
            for name, value in entries.items():
                if value is not None:
                    file[name] = value
            file.attrs.update(acquisition="CORPDFS_FBK", patient_id="0e3b", max=1.0, norm=2.0)
        return tmp_path / "file1000001.h5"

    return make


def as_published(path):
    """What the published loader takes from a file, worked out from the layout's description."""
    with h5py.File(path) as file:
        root = ElementTree.fromstring(file["ismrmrd_header"][()])
        at = "{http://www.ismrm.org/ISMRMRD}"

        def value(*tags):
            return int(root.findtext("/".join(at + tag for tag in ("encoding", *tags))))

        limits = ("encodingLimits", "kspace_encoding_step_1")
        left = value("encodedSpace", "matrixSize", "y") // 2 - value(*limits, "center")
        return {
            "kspace": file["kspace"][()],
            "padding": (left, left + value(*limits, "maximum") + 1),
            "crop": tuple(value("reconSpace", "matrixSize", axis) for axis in "xy"),
            "mask": file["mask"][()] if "mask" in file else None,
            "target": file["reconstruction_rss"][()] if "reconstruction_rss" in file else None,
            "attributes": dict(file.attrs),
        }


def test_a_knee(make_file):
    scan = fastmri.read(make_file())
    assert scan.name == "file1000001"
    assert scan.kspace.shape == (5, 3, 1, 80, 46)
    assert scan.readout == 0
    assert scan.matrix == (40, 40)
    assert scan.complete
    np.testing.assert_array_equal(np.flatnonzero(scan.sampled), np.arange(8, 43))
    assert scan.sampled.shape == (1, 1, 46)
    assert scan.calibration == ((0, 80), (8, 39))  # centred on column 23
    assert scan.contrast == {"acquisition": "CORPDFS_FBK", **KNEE.contrast}
    assert not any("0e3b" in str(v) for v in vars(scan).values())


@pytest.mark.parametrize("kind", [np.bytes_, bytes.decode])
def test_headers_of_any_string_type(make_file, kind):
    scan = fastmri.read(make_file(ismrmrd_header=kind(serialise(KNEE))))
    assert scan.matrix == (40, 40)


def test_double_precision_is_brought_to_complex64(make_file):
    scan = fastmri.read(make_file(kspace=knee_kspace().astype(np.complex128)))
    assert scan.kspace[0].dtype == np.complex64


def test_geometry_of_a_knee(make_file):
    scan = fastmri.read(make_file())
    assert scan.voxel == (3.5, 3.5, 3.0)  # 280 / 80, 161 / 46, slice thickness
    np.testing.assert_allclose(scan.affine @ [20, 20, 2, 1], [0, 0, 0, 1])
    np.testing.assert_allclose(scan.affine @ [21, 20, 2, 1], [3.5, 0, 0, 1])
    np.testing.assert_allclose(scan.affine @ [20, 20, 3, 1], [0, 0, 3, 1])


def test_slices_are_read_when_asked_for_and_travel_to_other_processes(make_file):
    path = make_file()
    kspace = fastmri.read(path).kspace
    message = pickle.dumps(kspace)
    assert len(message) < 2000
    data = pickle.loads(message)[4]
    assert data.dtype == np.complex64
    assert data.flags.writeable
    np.testing.assert_array_equal(data[:, 0], knee_kspace()[4])
    with h5py.File(path, "a") as file:
        file["kspace"][2] = 7
    np.testing.assert_array_equal(kspace[2][..., 8:43], 7)
    np.testing.assert_array_equal(kspace[2][..., :8], 0)  # not sampled: zero, whatever is stored


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_prospective_undersampling(make_file, dtype):
    mask = np.zeros(46, bool)
    mask[::4] = True
    mask[18:28] = True
    scan = fastmri.read(make_file(mask=mask.astype(dtype), kspace=knee_kspace() * mask))
    mask[:8] = mask[43:] = False
    np.testing.assert_array_equal(scan.sampled[0, 0], mask)
    assert not scan.complete
    # lines 18 to 28 were kept, 28 is on the lattice as well
    assert scan.calibration == ((0, 80), (18, 29))


@pytest.mark.parametrize("limits", [None, (0, 0)])  # which say nothing
def test_columns_without_data_are_not_sampled(make_file, limits):
    kspace = knee_kspace()
    kspace[..., 40] = 0
    header = serialise(replace(KNEE, limits=limits))
    scan = fastmri.read(make_file(kspace=kspace, ismrmrd_header=header))
    expected = [*range(8, 40), 41, 42]
    np.testing.assert_array_equal(np.flatnonzero(scan.sampled), expected)


def test_an_empty_slice_says_nothing_of_the_others(make_file):
    kspace = knee_kspace()
    kspace[2] = 0  # the middle one
    scan = fastmri.read(make_file(kspace=kspace))
    np.testing.assert_array_equal(np.flatnonzero(scan.sampled), range(8, 43))
    np.testing.assert_array_equal(scan.kspace[1][:, 0], kspace[1])
    assert not scan.warnings


def test_a_column_that_one_slice_lacks_is_kept_of_the_others_and_said(make_file):
    kspace = knee_kspace()
    kspace[2, ..., 40] = 0
    scan = fastmri.read(make_file(kspace=kspace))
    np.testing.assert_array_equal(scan.kspace[3][:, 0], kspace[3])
    assert "zero where others hold data" in "".join(scan.warnings)


def test_a_stored_width_other_than_the_encoded_one(make_file):
    kspace = knee_kspace()[..., 3:]  # 43 columns: the middle one is 21 instead of 23
    scan = fastmri.read(make_file(kspace=kspace))
    np.testing.assert_array_equal(np.flatnonzero(scan.sampled), range(6, 40))
    narrow = replace(KNEE, recon=(40, 60, 1), limits=None)
    scan = fastmri.read(make_file(ismrmrd_header=serialise(narrow)))
    assert scan.matrix == (40, 46)  # no larger than k-space


def test_voxels_are_of_the_columns_that_are_stored(make_file):
    scan = fastmri.read(make_file(kspace=knee_kspace()[..., 3:]))
    assert scan.voxel[1] == pytest.approx(161 / 43)
    assert scan.matrix == (40, 37)  # 140 mm of these


def averages():
    """A prostate's: the second average has the odd columns, the others the even ones."""
    kspace = np.stack([knee_kspace(), 2 * knee_kspace(), 3 * knee_kspace()])
    kspace[1, ..., ::2] = 0
    kspace[::2, ..., 1::2] = 0
    return kspace


def test_averages_that_sampled_other_columns_are_one_scan(make_file):
    scan = fastmri.read(make_file(kspace=averages(), calibration_data=np.zeros(3)))
    assert scan.kspace.shape == (5, 3, 1, 80, 46)
    assert scan.complete  # both are the mean, 2
    np.testing.assert_allclose(scan.kspace[4][:, 0], 2 * knee_kspace()[4], rtol=1e-6)
    np.testing.assert_allclose(scan.kspace[4, 1:2][:, 0], 2 * knee_kspace()[4, 1:2], rtol=1e-6)


def test_echo_planar_imaging_is_refused(make_file, refused):
    path = make_file(kspace=averages(), phase_correction=np.zeros(3))
    assert "echo-planar" in refused(fastmri.read, path)


@given(left=st.integers(0, 8), right=st.integers(0, 7), columns=st.integers(20, 23))
@settings(deadline=None, max_examples=15)
def test_written_limits_say_what_was_sampled(tmp_path_factory, left, right, columns):
    path = tmp_path_factory.mktemp("fastmri") / "scan.h5"
    template = fastmri_scan(columns, left, right)
    fastmri.write(template, path)
    published = as_published(path)
    assert published["padding"] == (left, columns - right)
    assert published["mask"] is None
    back = fastmri.read(path)
    np.testing.assert_array_equal(back.sampled, template.sampled)
    assert back.matrix == template.matrix
    assert back.voxel == pytest.approx(template.voxel)
    np.testing.assert_allclose(back.affine, template.affine)
    assert back.calibration == template.calibration
    assert back.contrast == template.contrast
    for index in range(2):
        np.testing.assert_array_equal(back.kspace[index], template.kspace[index])


def fastmri_scan(columns, left, right):
    rng = np.random.default_rng(columns)
    sampled = np.zeros((1, 1, columns), bool)
    sampled[..., left : columns - right] = True
    kspace = rng.normal(size=(2, 3, 1, 24, columns, 2)).view(np.complex128)[..., 0]
    voxel, matrix = (0.7, 0.9, 4.0), (12, 16)
    return Scan(
        name="scan",
        kspace=(kspace * sampled).astype(np.complex64),
        sampled=sampled,
        readout=0,
        matrix=matrix,
        voxel=voxel,
        affine=centred_affine(matrix, voxel, 2),
        calibration=calibration_box(np.broadcast_to(sampled, (1, 24, columns))),
        contrast={"acquisition": "AXT1", "TR": 500.0, "field_strength": 3.0},
    )


def test_the_published_loader_finds_the_target(tmp_path):
    scan = fastmri_scan(20, 0, 0)
    fastmri.write(scan, tmp_path / "scan.h5")
    published = as_published(tmp_path / "scan.h5")
    axes = (-2, -1)
    image = np.fft.ifftshift(published["kspace"], axes)
    image = np.fft.fftshift(np.fft.ifft2(image, norm="ortho"), axes)
    height, width = published["crop"]
    top, left = (24 - height) // 2, (20 - width) // 2
    image = np.abs(image)[..., top : top + height, left : left + width]
    target = published["target"]
    assert target.dtype == np.float32
    np.testing.assert_allclose(target, np.sqrt((image**2).sum(1)), rtol=1e-5)
    attributes = published["attributes"]
    assert attributes["acquisition"] == "AXT1"
    assert attributes["patient_id"] == ""
    assert attributes["max"] == target.max()
    assert attributes["norm"] == pytest.approx(np.linalg.norm(target))


def test_an_undersampled_scan_is_written_with_its_mask(tmp_path):
    scan = fastmri_scan(20, 2, 0)
    sampled = scan.sampled.copy()
    sampled[..., [4, 5, 16]] = False
    scan = replace(scan, kspace=scan.kspace * sampled, sampled=np.repeat(sampled, 24, axis=1))
    fastmri.write(scan, tmp_path / "scan.h5")
    published = as_published(tmp_path / "scan.h5")
    np.testing.assert_array_equal(published["mask"], sampled[0, 0])
    assert published["target"] is None
    np.testing.assert_array_equal(fastmri.read(tmp_path / "scan.h5").sampled, sampled)


def test_a_scan_without_its_centre_is_written(tmp_path):
    scan = fastmri_scan(20, 14, 0)
    fastmri.write(scan, tmp_path / "scan.h5")
    np.testing.assert_array_equal(fastmri.read(tmp_path / "scan.h5").sampled, scan.sampled)


@pytest.mark.parametrize(
    ("shape", "sampled", "readout"),
    [
        ((1, 2, 1, 4, 6, 8), np.ones((4, 6, 8), bool), 0),  # 3D
        ((1, 2, 2, 6, 8), np.ones((6, 8), bool), 0),  # frames
        ((1, 2, 1, 6, 8), np.ones((6, 8), bool), 1),  # readout along columns
        ((1, 2, 1, 6, 8), np.eye(6, 8, dtype=bool), 0),  # undersampled along rows
    ],
)
def test_scans_the_layout_cannot_hold_are_refused(tmp_path, make_scan, shape, sampled, readout):
    scan = make_scan(shape, sampled, readout=readout)
    with pytest.raises(BadInput, match="static 2D"):
        fastmri.write(scan, tmp_path / "scan.h5")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"kspace": None}, "no dataset 'kspace'"),
        ({"ismrmrd_header": None}, "no dataset 'ismrmrd_header'"),
        ({"kspace": knee_kspace()[:, 0]}, "single-coil"),
        ({"kspace": knee_kspace()[0, 0]}, "expected complex"),
        ({"kspace": knee_kspace().real}, "expected complex"),
        ({"kspace": knee_kspace()[:0]}, "expected complex"),
        ({"kspace": knee_kspace()[:, :, :70]}, "readout samples"),
        ({"kspace": knee_kspace()[..., :30]}, "30 stored columns"),
        ({"mask": np.ones(45)}, "46 columns"),
        ({"mask": np.ones((46, 46))}, "46 columns"),
        ({"mask": np.array([b"x"] * 46)}, "46 columns"),
        ({"ismrmrd_header": np.ones(3)}, "not one string"),
        ({"ismrmrd_header": b"hello"}, "well-formed"),
        ({"ismrmrd_header": serialise(KNEE).replace(b"cartesian", b"radial")}, "radial"),
        ({"ismrmrd_header": serialise(replace(KNEE, limits=(34, 40)))}, "limits"),
        ({"kspace": np.zeros(SHAPE, np.complex64)}, "empty"),
        ({"kspace": h5py.ExternalLink("other.h5", "kspace")}, "link"),
        ({"mask": h5py.ExternalLink("other.h5", "mask")}, "link"),
    ],
)
def test_files_that_do_not_fit_the_layout_are_refused(make_file, refused, entries, message):
    assert message in refused(fastmri.read, make_file(**entries))


def test_values_that_are_not_finite_name_the_slice(make_file, refused):
    kspace = knee_kspace()
    kspace[3, 1, 40, 20] = np.nan
    scan = fastmri.read(make_file(kspace=kspace))
    assert "slice 3" in refused(lambda _: scan.kspace[3], scan.kspace.path)
    assert np.isfinite(scan.kspace[4]).all()


def test_text_and_truncated_files_are_refused(make_file, refused):
    path = make_file()
    whole = path.read_bytes()
    for content in (b"", b"hello\n", whole[:100], whole[:2000], whole[: len(whole) // 2]):
        path.write_bytes(content)
        refused(fastmri.read, path)


def test_a_damaged_file_is_refused_or_read(make_file):
    path = make_file(kspace=knee_kspace()[:2, :1])
    whole = path.read_bytes()
    header = len(whole) - 2 * 80 * 46 * 8
    rng = np.random.default_rng(0)
    refusals = []
    for _ in range(60):
        damaged = bytearray(whole)
        for at in rng.integers(0, header, size=20):
            damaged[at] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            fastmri.read(path)
        except BadInput as error:
            refusals.append(str(error))
    assert len(refusals) > 10
    assert not any("\n" in message for message in refusals)
