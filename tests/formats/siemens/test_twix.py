"""Files written by twixtools; what they must mean is worked out from the format's description."""

import pickle
import struct
import sys
from itertools import product

import numpy as np
import pytest
import twixtools
from scipy.spatial.transform import Rotation
from twix_files import COILS, COLUMNS, LINES, header, line, vb
from twixtools import mdh_def

from gleam.errors import BadInput
from gleam.formats import read_scan


def noise(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)


@pytest.fixture
def kspace():
    """(coil, column, line)"""
    return noise(COILS, COLUMNS, LINES)


def in_full(kspace, **fields):
    return [line(kspace[:, :, n], Lin=n, **fields) for n in range(kspace.shape[2])]


@pytest.fixture
def save(tmp_path):
    def write(*measurements, **protocol):
        path = tmp_path / "scan.dat"
        path.unlink(missing_ok=True)
        scans = [{"hdr_str": header(**protocol), "mdb": list(lines)} for lines in measurements]
        twixtools.write_twix(scans, str(path))
        return path

    return write


def test_a_gradient_echo(save, kspace):
    scan = read_scan(save(in_full(kspace)))
    assert scan.name == "scan"
    assert scan.format == "Siemens twix"
    assert scan.readout == 0
    assert scan.complete
    np.testing.assert_array_equal(scan.kspace[0][:, 0], kspace)
    assert scan.matrix == (8, 10)  # the readout's oversampling goes
    assert scan.voxel == (30.0, 20.0, 5.0)
    assert scan.thickness == 5.0
    assert scan.contrast == pytest.approx(
        {"TR": 10.0, "TE": 3.0, "flip_angle": 15.0, "field_strength": 2.89362001419}
    )
    assert scan.noise is None


def test_nothing_of_the_patient_is_kept(save, kspace):
    scan = read_scan(save(in_full(kspace)))
    assert "Doe" not in repr(scan)
    assert "Doe" not in repr(scan.kspace)


def test_inversion_time(save, kspace):
    scan = read_scan(save(in_full(kspace), sPrepPulses__ucInversion="0x2"))
    assert scan.contrast["TI"] == 300.0


def test_partial_fourier_and_asymmetric_echo(save, kspace):
    """Lines count from the first acquired; the echo lies before the middle of the samples."""
    lines = [line(kspace[:, 4:, n], Lin=n - 3, CenterLin=2, CenterCol=4) for n in range(3, LINES)]
    scan = read_scan(save(lines))
    expected = np.zeros_like(kspace)
    expected[:, 4:, 3:] = kspace[:, 4:, 3:]
    np.testing.assert_array_equal(scan.kspace[0][:, 0], expected)
    np.testing.assert_array_equal(scan.sampled[0], expected[0] != 0)


def test_samples_that_the_scanner_cuts_off(save, kspace):
    lines = in_full(kspace)
    for one in lines:
        one.mdh.CutOff.Pre, one.mdh.CutOff.Post = 2, 1
    scan = read_scan(save(lines))
    kspace[:, :2], kspace[:, -1:] = 0, 0
    np.testing.assert_array_equal(scan.kspace[0][:, 0], kspace)


def test_lines_beyond_the_protocols(save):
    """A turbo factor of 4 makes 12 lines of 10, with line 6 at the centre."""
    kspace = noise(COILS, COLUMNS, 12)
    scan = read_scan(save(in_full(kspace, CenterLin=6)))
    assert scan.space == (COLUMNS, 12)
    assert scan.voxel[1] == pytest.approx(200 / 12)
    np.testing.assert_array_equal(scan.kspace[0][:, 0], kspace)


def pulseq(kspace, first=0, **fields):
    """Every line as Pulseq's interpreter leaves it, without a centre."""
    return [
        line(kspace[:, :, n], Lin=n - first, CenterLin=0, CenterPar=0, **fields)
        for n in range(first, kspace.shape[2])
    ]


PLACEHOLDERS = {
    "sKSpace__ucDimension": "0x4",
    "sKSpace__lBaseResolution": 64,
    "sKSpace__lPhaseEncodingLines": 256,
    "sKSpace__lPartitions": 2,
}


def peaked(kspace, *axes):
    """With most energy in the centre of the axes given."""
    for axis in axes:
        n = kspace.shape[axis]
        peak = np.exp(-np.abs(np.arange(n) - n // 2) / 2)
        kspace = kspace * peak.reshape(-1, *[1] * (kspace.ndim - 1 - axis))
    return kspace.astype(np.complex64)


@pytest.mark.parametrize("slices", [1, 3])
def test_pulseq_in_2d(save, slices):
    kspace = peaked(noise(slices, COILS, COLUMNS, LINES), 3)
    lines = []
    for index in range(slices):
        lines += pulseq(kspace[index], Sli=index, position=(0.0, 0.0, 7.0 * index))
    scan = read_scan(save(lines, **PLACEHOLDERS))
    assert scan.kspace.shape == (slices, COILS, 1, COLUMNS, LINES)
    assert scan.matrix == (COLUMNS, LINES)  # how much is oversampled, nobody knows
    assert scan.complete
    assert scan.voxel == pytest.approx((240 / COLUMNS, 200 / LINES, 5.0 if slices == 1 else 7.0))
    for index in range(slices):
        np.testing.assert_array_equal(scan.kspace[index][:, 0], kspace[index])
    (warning,) = scan.warnings
    assert "says 128 samples and 256 lines, but 16 and 10 were acquired" in warning


def test_pulseq_with_numbers_that_are_right(save, kspace):
    scan = read_scan(save(pulseq(peaked(kspace, 2)), sKSpace__ucDimension="0x4"))
    assert scan.matrix == (8, 10)
    assert scan.warnings == ()


def test_pulseq_with_partial_fourier(save):
    """The first 9 of 24 lines are missing, and lines count from there."""
    kspace = peaked(noise(COILS, COLUMNS, 24), 2)
    scan = read_scan(save(pulseq(kspace, first=9), **PLACEHOLDERS))
    kspace[:, :, :9] = 0
    # Lines 9 to 23 with line 12 in the middle take 23 places.
    np.testing.assert_array_equal(scan.kspace[0][:, 0], kspace[:, :, 1:])
    assert not scan.sampled[0, 0, :8].any()
    assert scan.sampled[0, 0, 8:].all()


def test_pulseq_in_3d(save):
    kspace = peaked(noise(COILS, COLUMNS, LINES, 6), 2, 3)
    lines = [one for p in range(6) for one in pulseq(kspace[..., p], Par=p)]
    scan = read_scan(save(lines, **PLACEHOLDERS | {"sKSpace__ucDimension": "0x2"}))
    np.testing.assert_array_equal(scan.kspace[0][:, 0], kspace)
    assert scan.matrix == (COLUMNS, LINES, 6)


def test_averages_and_reversed_lines(save, kspace):
    lines = []
    for average, n in product(range(2), range(LINES)):
        data = (average + 1) * kspace[:, :, n]
        backwards = n % 2 == 1
        lines.append(
            line(data[:, ::-1] if backwards else data, ["REFLECT"] * backwards, Lin=n, Ave=average)
        )
    scan = read_scan(save(lines))
    np.testing.assert_allclose(scan.kspace[0][:, 0], 1.5 * kspace, rtol=1e-6)


def test_frames(save):
    kspace = noise(2, 3, COILS, COLUMNS, LINES)
    lines = [
        line(kspace[r, p, :, :, n], Lin=n, Phs=p, Rep=r, Seg=n % 2)
        for r, n, p in product(range(2), range(LINES), range(3))
    ]
    scan = read_scan(save(lines))
    expected = kspace.reshape(6, COILS, COLUMNS, LINES).swapaxes(0, 1)
    np.testing.assert_array_equal(scan.kspace[0], expected)
    assert "frame_time" not in scan.contrast


def test_a_series_that_stopped_early(save):
    """Two slices in turn; the last repetition has five lines and a half."""
    kspace = noise(3, 2, COILS, COLUMNS, LINES)
    lines = [
        line(kspace[r, s, :, :, n], Lin=n, Rep=r, Sli=s, position=(0.0, 0.0, 6.0 * s))
        for r, n, s in product(range(3), range(LINES), range(2))
    ]
    scan = read_scan(save(lines[:-9]))
    assert "last repetition, number 2 from 0, was not finished (11 of 20 lines)" in scan.warnings[0]
    assert scan.complete
    for index in range(2):
        np.testing.assert_array_equal(scan.kspace[index], kspace[:2, index].swapaxes(0, 1))


@pytest.mark.parametrize("lost", [100, 700, 3000])
def test_a_series_that_the_scanner_cut_off(save, lost):
    """There is no end mark, and half a line at the end."""
    kspace = noise(3, COILS, COLUMNS, LINES)
    lines = [line(kspace[r, :, :, n], Lin=n, Rep=r) for r, n in product(range(3), range(LINES))]
    path = save(lines)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(kspace[2, -1, -1:, -1].tobytes()) - lost])
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.kspace[0], kspace[:2].swapaxes(0, 1))
    cut, stopped = scan.warnings
    assert "cut off after 2" in cut
    assert "last repetition, number 2 from 0, was not finished" in stopped


def test_a_file_that_is_cut_off_behind_its_last_line(save, kspace):
    path = save([*in_full(kspace), synchronous_data(192 + 160)])
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(kspace[-1, -1:, -1].tobytes()) + 250])
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.kspace[0][:, 0], kspace)
    (warning,) = scan.warnings
    assert "cut off after 10 lines" in warning


def test_an_ellipse_that_is_cut_off_behind_its_last_line(save, refused):
    """Corners that were never acquired are no lines that were lost."""
    kspace = noise(COILS, COLUMNS, LINES, 6)
    inside = [
        (n, p)
        for p, n in product(range(6), range(LINES))
        if ((n - 5) / 5) ** 2 + ((p - 3) / 3) ** 2 <= 1
    ]
    lines = [line(kspace[:, :, n, p], Lin=n, Par=p, CenterPar=3) for n, p in inside]
    path = save([*lines, synchronous_data(192 + 160)], sKSpace__lPartitions=6)
    content = path.read_bytes()
    ends = [content.rindex(kspace[-1, -1:, n, p].tobytes()) for n, p in inside[-2:]]
    path.write_bytes(content[: ends[1] + 250])
    scan = read_scan(path)
    assert scan.complete
    assert any(f"cut off after {len(inside)} lines" in warning for warning in scan.warnings)
    path.write_bytes(content[: ends[0] + 250])
    assert "not enough for an image" in refused(read_scan, path)


def test_the_length_of_a_measurement_is_not_believed(save, kspace):
    path = save(in_full(kspace))
    path.write_bytes(patched(path.read_bytes(), 24, 2**63, "<Q"))
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.kspace[0][:, 0], kspace)
    assert scan.warnings == ()


def test_the_time_between_frames(save):
    """Stamps count 2.5 ms."""
    kspace = noise(3, COILS, COLUMNS, LINES)
    lines = [
        line(kspace[p, :, :, n], Lin=n, Phs=p, TimeStamp=500 * n + 14 * p)
        for n, p in product(range(LINES), range(3))
    ]
    assert read_scan(save(lines)).contrast["frame_time"] == pytest.approx(35.0)


def test_slices_come_in_the_order_of_space(save):
    kspace = noise(4, COILS, COLUMNS, LINES)
    lines = []
    for excited, place in enumerate([1, 3, 0, 2]):  # interleaved
        where = (0.0, 10.0, 7.0 * place - 20.0)
        lines += in_full(kspace[place], Sli=excited, position=where)
    scan = read_scan(save(lines))
    for place in range(4):
        np.testing.assert_array_equal(scan.kspace[place][:, 0], kspace[place])
    assert scan.voxel[2] == pytest.approx(7.0)  # distance, not thickness
    np.testing.assert_allclose(scan.affine[:3, 2], [0, 0, 7], atol=1e-4)
    # The central voxel of the image is at the slice's position.
    np.testing.assert_allclose(scan.affine @ [5, 4, 0, 1], [0, 10, -20, 1], atol=1e-4)


def test_an_oblique_volume(save):
    kspace = noise(COILS, COLUMNS, LINES, 6)
    # Phase, readout, slice: orthonormal, LPS.
    axes = Rotation.from_euler("xyz", [20, -35, 70], degrees=True).as_matrix().T
    centre = (12.0, -30.0, 45.0)
    lines = [
        line(kspace[:, :, n, p], Lin=n, Par=p, CenterPar=3, axes=axes, position=centre)
        for p, n in product(range(6), range(LINES))
    ]
    protocol = {
        "sKSpace__ucDimension": "0x4",
        "sKSpace__lPartitions": 6,
        "sKSpace__dSliceOversamplingForDialog": 0.5,
        "sSliceArray__asSlice[0]__dThickness": 40.0,
    }
    scan = read_scan(save(lines, **protocol))
    assert scan.kspace.shape == (1, COILS, 1, COLUMNS, LINES, 6)
    np.testing.assert_array_equal(scan.kspace[0][:, 0], kspace)
    assert scan.matrix == (8, 10, 4)
    np.testing.assert_allclose(scan.voxel, (30.0, 20.0, 10.0))  # 40 mm · 1.5 / 6
    for column, row, partition in product((0, 7), (0, 9), (0, 3)):
        expected = (
            np.array(centre)
            + 20.0 * (row - 5) * axes[0]
            + 30.0 * (column - 4) * axes[1]
            + 10.0 * (partition - 2) * axes[2]
        )
        # The affine's x is the last axis of the image.
        found = scan.affine @ [partition, row, column, 1]
        np.testing.assert_allclose(found[:3], expected, atol=1e-3)


def test_calibration_lines(save, kspace):
    """Every fourth line is imaging; of lines 3 to 7, the others are for calibration alone."""
    flags = {n: ["PATREFSCAN"] for n in (3, 4, 5, 6, 7)} | {1: [], 9: []}
    flags[5] += ["PATREFANDIMASCAN"]
    lines = [line(kspace[:, :, n], flags[n], Lin=n) for n in flags]
    scan = read_scan(save(lines, sPat__ucRefScanMode="0x2"))
    np.testing.assert_array_equal(np.flatnonzero(scan.sampled[0, 0]), [1, 3, 4, 5, 6, 7, 9])
    assert scan.calibration == ((0, 16), (3, 8))
    separate = read_scan(save(lines, sPat__ucRefScanMode="0x4"))
    np.testing.assert_array_equal(np.flatnonzero(separate.sampled[0, 0]), [1, 5, 9])
    apart = separate.reference
    np.testing.assert_array_equal(np.flatnonzero(apart.sampled[0, 0]), [3, 4, 6, 7])
    np.testing.assert_array_equal(apart.kspace[0][:, 0, :, 6], kspace[:, :, 6])
    assert pickle.loads(pickle.dumps(separate)).reference.kspace[0].shape == (COILS, 1, 16, 10)


def test_noise_of_an_earlier_measurement(save, kspace):
    earlier, own = noise(COILS, 32, seed=1), noise(COILS, COLUMNS, seed=2)
    before = [line(earlier, ["NOISEADJSCAN"]), line(noise(COILS, 8), Lin=1)]
    other_coils = [line(noise(COILS + 1, 32), ["NOISEADJSCAN"])]
    path = save(other_coils, before, [line(own, ["NOISEADJSCAN"]), *in_full(kspace)])
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.noise, np.concatenate([earlier, own], axis=1))
    np.testing.assert_array_equal(scan.kspace[0][:, 0], kspace)
    assert scan.warnings == ()


def test_noise_of_other_channels_is_left_out(save, kspace):
    other_coils = [line(noise(COILS + 1, 32), ["NOISEADJSCAN"])]
    for path in (save(other_coils, in_full(kspace)), save(other_coils + in_full(kspace))):
        scan = read_scan(path)
        assert scan.noise is None
        (warning,) = scan.warnings
        assert "noise scan has 4 channels, but its lines have 3" in warning
        np.testing.assert_array_equal(scan.kspace[0][:, 0], kspace)


def test_a_measurement_may_be_chosen(save, kspace, refused):
    path = save(in_full(3 * kspace), in_full(2 * kspace), in_full(kspace))
    np.testing.assert_array_equal(read_scan(path).kspace[0][:, 0], kspace)
    np.testing.assert_array_equal(read_scan(path, None, "2").kspace[0][:, 0], 2 * kspace)
    assert read_scan(path, None, "2").format == "Siemens twix, measurement 2 of 3"
    for wrong in ("0", "4", "-1", "dataset"):
        said = refused(lambda path, wrong=wrong: read_scan(path, None, wrong), path)
        assert "--group is one of 1, 2, 3" in said


NO_IMAGING = "RTFEEDBACK HPFEEDBACK RAWDATACORRECTION REFPHASESTABSCAN PHASESTABSCAN PHASCOR"


@pytest.mark.parametrize("flag", [*NO_IMAGING.split(), "RETRO_DUMMYSCAN"])
def test_lines_that_are_no_imaging(save, kspace, flag):
    lines = [line(noise(COILS, COLUMNS), [flag], Lin=3), *in_full(kspace)]
    np.testing.assert_array_equal(read_scan(save(lines)).kspace[0][:, 0], kspace)


def synchronous_data(length):
    """A block of 160 bytes that says it has `length`, its head of 192 included."""
    block = line(np.zeros((1, 20)), ["SYNCDATA"])
    mdh_def.set_dma_len(block.mdh, length)
    return block


def test_synchronous_data_are_stepped_over(save, kspace):
    first, *rest = in_full(kspace)
    path = save([first, synchronous_data(192 + 160), *rest])
    np.testing.assert_array_equal(read_scan(path).kspace[0][:, 0], kspace)


def test_vb(tmp_path, kspace):
    (tmp_path / "scan.dat").write_bytes(vb(kspace))
    scan = read_scan(tmp_path / "scan.dat")
    np.testing.assert_array_equal(scan.kspace[0][:, 0], kspace)


def test_slices_are_read_when_asked_for_and_travel_to_other_processes(save, kspace):
    scan = read_scan(save(in_full(kspace)))
    message = pickle.dumps(scan.kspace)
    assert kspace[0, :, 0].tobytes() not in message
    np.testing.assert_array_equal(pickle.loads(message)[0], scan.kspace[0])


@pytest.mark.parametrize(
    ("protocol", "says"),
    [
        ({"sKSpace__ucTrajectory": "0x2"}, "radial"),
        ({"sKSpace__ucTrajectory": 99}, "unknown"),
        ({"regrid": 2}, "ramps"),
        ({"sSliceAcceleration__lMultiBandFactor": 2}, "multi-band"),
        ({"sKSpace__lBaseResolution": None}, "0 for sKSpace.lBaseResolution"),
        ({"sKSpace__lPhaseEncodingLines": "9" * 400}, "lPhaseEncodingLines"),
        ({"sSliceArray__asSlice[0]__dPhaseFOV": "nan"}, "dPhaseFOV"),
        ({"sSliceArray__asSlice[0]__dReadoutFOV": -1}, "dReadoutFOV"),
    ],
)
def test_protocols_that_cannot_be_used(save, kspace, refused, protocol, says):
    assert says in refused(read_scan, save(in_full(kspace), **protocol))


def test_a_measurement_without_imaging(save, refused):
    path = save([line(noise(COILS, 32), ["NOISEADJSCAN"])])
    assert "no imaging line" in refused(read_scan, path)


def test_values_that_are_not_finite(save, kspace, refused):
    kspace[1, 2, 3] = np.nan
    assert "finite" in refused(lambda path: read_scan(path).kspace[0], save(in_full(kspace)))


@pytest.mark.parametrize("turn", [(np.nan, 0, 0, 0), (np.inf, 0, 0, 3e38), (2, 0, 0, 1)])
def test_rotations_that_are_none(save, kspace, refused, turn):
    lines = in_full(kspace)
    for one in lines:
        one.mdh.SliceData.Quaternion[:] = turn
    assert "place in space" in refused(read_scan, save(lines))


def test_without_twixtools(save, kspace, refused, monkeypatch):
    path = save(in_full(kspace))
    monkeypatch.setitem(sys.modules, "twixtools.mdh_def", None)
    assert "pip install -e '.[twix]'" in refused(read_scan, path)


def patched(content, at, value, kind="<I"):
    return content[:at] + struct.pack(kind, value) + content[at + struct.calcsize(kind) :]


FIRST = 10240  # where the first measurement starts


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: b"",
        lambda c: c[:7],
        lambda c: c[:9000],
        lambda c: c[:12000],
        lambda c: c[:-1000],
        lambda c: bytes(len(c)),
        lambda c: patched(c, 0, 2**31),  # would be VB's header
        lambda c: patched(c, 4, 64),
        lambda c: patched(c, 16, 2**63, "<Q"),  # the measurement's place
        lambda c: patched(c, 24, 100, "<Q"),
        lambda c: patched(c, FIRST, 2**32 - 1),  # its header's length
        lambda c: patched(c, FIRST, 8),
        lambda c: patched(c, FIRST + 4, 2**32 - 1),  # the number of its buffers
        lambda c: patched(c, FIRST + 13, 2**32 - 1),  # the length of the first of them
    ],
)
def test_lengths_that_the_file_does_not_hold(save, kspace, refused, spoil):
    path = save(in_full(kspace))
    path.write_bytes(spoil(path.read_bytes()))
    refused(read_scan, path)


@pytest.mark.parametrize("length", [0, 191, 2**25 - 1])
def test_blocks_that_lead_nowhere(save, kspace, refused, length):
    path = save([synchronous_data(length), *in_full(kspace)])
    refused(read_scan, path)


def test_a_damaged_file_is_refused_or_read(save, kspace):
    path = save(in_full(kspace))
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refusals = []
    for _ in range(200):
        damaged = bytearray(whole)
        start = rng.choice([0, FIRST])
        for at in rng.integers(start, start + rng.choice([32, 1500, 8000]), size=5):
            damaged[at % len(whole)] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            read_scan(path)
        except BadInput as error:
            refusals.append(str(error))
    assert len(refusals) > 10
    assert not any("\n" in message for message in refusals)


def test_real_gradient_echo(shared_data):
    path = shared_data / "siemens_twix_gre_2ch.dat"
    scan = read_scan(path)
    (measured,) = twixtools.map_twix(twixtools.read_twix(str(path), verbose=False))
    image = measured["image"]
    image.flags["remove_os"] = False
    expected = image[:].squeeze()  # line, coil, column
    np.testing.assert_array_equal(scan.kspace[0][:, 0], expected.transpose(1, 2, 0))
    assert scan.complete
    assert scan.matrix == (160, 160)
    assert scan.voxel == (1.25, 1.25, 4.0)
    # As the protocol says the slice lies.
    np.testing.assert_allclose(
        scan.affine @ [80, 80, 0, 1], [-2.58970, 53.92243, -53.99947, 1], atol=1e-4
    )
    np.testing.assert_allclose(scan.affine[:3, 2] / 4, [0, 0.03839, 0.99926], atol=1e-4)
