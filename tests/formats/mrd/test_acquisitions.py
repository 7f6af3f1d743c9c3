"""What lines make, judged by a scanner that knows all of k-space exactly."""

from dataclasses import replace
from functools import partial

import ismrmrd
import numpy as np
import pytest
from scanner import AXIAL, OBLIQUE, Scanner

from gleam.errors import BadInput
from gleam.formats.mrd.acquisitions import assemble
from gleam.formats.mrd.head import ACQUISITION_HEADER
from gleam.formats.mrd.header import parse
from gleam.formats.parts import only

READ = {"rtol": 2e-5, "atol": 2e-4}  # single precision, amplitudes about 10


def image(kspace, matrix):
    """(coil, *space) k-space to (*matrix): root sum of squares, cropped to the centre."""
    axes = tuple(range(1, kspace.ndim))
    shifted = np.fft.ifftn(np.fft.ifftshift(kspace, axes), axes=axes, norm="ortho")
    images = np.fft.fftshift(shifted, axes)
    crop = (
        slice(n // 2 - m // 2, n // 2 - m // 2 + m)
        for n, m in zip(images.shape[1:], matrix, strict=True)
    )
    return np.linalg.norm(images[(slice(None), *crop)], axis=0)


def brightest(scan, index=0, frame=0):
    """Where in the patient the brightest voxel of a slice is."""
    found = image(scan.kspace[index][:, frame], scan.matrix)
    at = np.unravel_index(found.argmax(), found.shape)
    voxel = [*reversed(at), *([index] if len(at) == 2 else [])]
    return (scan.affine @ [*voxel, 1])[:3]


@pytest.fixture
def read():
    """Assemble what was acquired, as it would come through a stream."""

    def read(scanner, header=None, part=None):
        xml = ismrmrd.xsd.ToXML(header or scanner.header()).encode()
        lines = scanner.acquisitions
        heads = b"".join(bytes(line.getHead()) for line in lines)
        scans = assemble(
            "scan",
            partial(parse, xml),
            np.frombuffer(heads, ACQUISITION_HEADER),
            lambda wanted: [lines[i].data for i in wanted],
        )
        return only("scan", scans, part)

    return read


@pytest.fixture
def scanner():
    """2D, twice oversampled, one point off the centre."""
    scanner = Scanner()
    scanner.points = [(scanner.voxel(3, -5), 4 + 1j)]
    return scanner


def test_a_full_scan(scanner, read):
    for line in range(24):
        scanner.acquire(line)
    scan = read(scanner)
    assert scan.kspace.shape == (1, 3, 1, 32, 24)
    assert scan.kspace[0].dtype == np.complex64
    np.testing.assert_allclose(scan.kspace[0][:, 0], scanner.ideal(), **READ)
    assert scan.sampled.all()
    assert scan.complete
    assert scan.readout == 0
    assert scan.matrix == (16, 24)  # half the encoded field of view
    assert scan.voxel == (2.0, 1.5, 5.0)
    assert scan.calibration == ((0, 32), (0, 24))
    assert scan.noise is None
    np.testing.assert_allclose(brightest(scan), scanner.points[0][0], atol=1e-4)


@pytest.mark.parametrize("encoded", [(31, 23, 1), (32, 23, 1), (31, 24, 1)])
def test_odd_sizes(encoded, read):
    scanner = Scanner(encoded=encoded, recon=encoded, recon_fov=(64.0, 36.0, 5.0))
    scanner.points = [(scanner.voxel(-7, 4), 1)]
    for line in range(encoded[1]):
        scanner.acquire(line)
    scan = read(scanner)
    np.testing.assert_allclose(scan.kspace[0][:, 0], scanner.ideal(), **READ)
    np.testing.assert_allclose(brightest(scan), scanner.points[0][0], atol=1e-4)


def test_the_centre_of_the_limits_goes_to_the_middle(read):
    """The specification's example in small: fewer lines than the matrix, partial Fourier."""
    scanner = Scanner(step_1=(14, 5))
    scanner.points = [(scanner.voxel(2, 2), 1)]
    for line in range(15):
        scanner.acquire(line)
    scan = read(scanner)
    sampled = np.zeros((32, 24), bool)
    sampled[:, 7:22] = True
    np.testing.assert_array_equal(scan.sampled[0], sampled)
    np.testing.assert_allclose(scan.kspace[0][:, 0], scanner.ideal() * sampled, **READ)
    assert scan.calibration == ((0, 32), (7, 18))


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("first", "samples"), [(-6, 22), (-16, 22), (-9, 18)])
def test_an_asymmetric_echo(scanner, read, first, samples, backwards):
    for line in range(24):
        scanner.acquire(line, first=first, samples=samples, pad=(2, 3), backwards=backwards)
    scan = read(scanner)
    sampled = np.zeros((32, 24), bool)
    sampled[16 + first : 16 + first + samples] = True
    np.testing.assert_array_equal(scan.sampled[0], sampled)
    np.testing.assert_allclose(scan.kspace[0][:, 0], scanner.ideal() * sampled, **READ)


@pytest.mark.parametrize("centre", [None, 16])  # by the specification; the same both ways
def test_every_other_line_reversed(scanner, read, centre):
    for line in range(24):
        scanner.acquire(line, backwards=line % 2 == 1, centre=centre)
    np.testing.assert_allclose(read(scanner).kspace[0][:, 0], scanner.ideal(), **READ)


def test_a_full_readout_lies_in_the_matrix_whatever_its_centre_says(scanner, read):
    for line in range(24):
        scanner.acquire(line, centre=0 if line % 2 else 11)
    np.testing.assert_allclose(read(scanner).kspace[0][:, 0], scanner.ideal(), **READ)


def test_limits_that_say_nothing(scanner, read):
    for line in range(24):
        scanner.acquire(line)
    scanner.step_1 = (0, 0)  # as some converters leave them
    np.testing.assert_allclose(read(scanner).kspace[0][:, 0], scanner.ideal(), **READ)
    header = scanner.header()
    header.encoding[0].encodingLimits.kspace_encoding_step_1 = None
    np.testing.assert_allclose(read(scanner, header).kspace[0][:, 0], scanner.ideal(), **READ)


def test_averages_are_averaged_where_they_were_acquired(scanner, read):
    for line in range(24):
        scanner.acquire(line, gain=1, average=0)
        if line < 10:
            scanner.acquire(line, gain=4, average=3)
    gain = np.where(np.arange(24) < 10, 2.5, 1)
    np.testing.assert_allclose(read(scanner).kspace[0][:, 0], scanner.ideal() * gain, **READ)


def test_segmented_cine(scanner, read):
    """Phases become frames, in their order; segments come as they like."""
    for phase in (2, 0, 1):
        for segment in range(3):
            for line in range(segment, 24, 3):
                scanner.acquire(line, phase=phase, segment=segment, gain=1 + phase)
    scan = read(scanner)
    assert scan.kspace.shape == (1, 3, 3, 32, 24)
    for phase in range(3):
        expected = scanner.ideal(gain=1 + phase)
        np.testing.assert_allclose(scan.kspace[0][:, phase], expected, **READ)


def test_frames_of_several_counters_and_patterns(scanner, read):
    """The phase runs fastest, then repetition, set and contrast; each frame has its own mask."""
    order = [(c, s, r, p) for c in (0, 1) for s in (0, 2) for r in (1, 3) for p in (0, 1)]
    for frame, (contrast, set_, repetition, phase) in reversed(list(enumerate(order))):
        for line in range(frame % 4, 24, 4):
            counters = {"contrast": contrast, "set": set_, "repetition": repetition}
            scanner.acquire(line, phase=phase, gain=1 + frame, **counters)
    scan = read(scanner)
    assert scan.kspace.shape[2] == 16
    kspace = scan.kspace[0]
    for frame in range(16):
        sampled = np.arange(24) % 4 == frame % 4
        np.testing.assert_array_equal(scan.sampled[frame], np.broadcast_to(sampled, (32, 24)))
        expected = scanner.ideal(gain=1 + frame) * sampled
        np.testing.assert_allclose(kspace[:, frame], expected, rtol=2e-5, atol=2e-3)
    assert scan.calibration is None


@pytest.mark.parametrize("directions", [AXIAL, OBLIQUE])
def test_interleaved_slices_in_place(directions, read):
    """Each slice has a point of its own, which must be found where it is."""
    scanner = Scanner(directions=directions)
    places = {}
    for index in (1, 3, 0, 2):
        distance = 8.0 * index
        places[index] = scanner.voxel(index, 2 - index, distance=distance)
        scanner.points = [(places[index], 1)]
        for line in range(24):
            scanner.acquire(line, distance=distance, slice=index)
    scan = read(scanner)
    assert scan.kspace.shape[0] == 4
    assert scan.voxel == pytest.approx((2.0, 1.5, 8.0))
    assert scan.thickness == 5.0
    for index, place in places.items():
        np.testing.assert_allclose(brightest(scan, index), place, atol=1e-3)


def test_slices_whose_index_counts_excitations_are_sorted_by_place(read):
    scanner = Scanner()
    for index, distance in enumerate((0.0, 16.0, 8.0, 24.0)):
        scanner.points = [(scanner.voxel(0, 0, distance=distance), 1 + distance)]
        for line in range(24):
            scanner.acquire(line, distance=distance, slice=index)
    scan = read(scanner)
    heights = [np.abs(scan.kspace[index]).max() for index in range(4)]
    np.testing.assert_allclose(np.divide(heights, heights[0]), [1, 9, 17, 25], rtol=1e-4)
    np.testing.assert_allclose(brightest(scan, 3), scanner.voxel(0, 0, distance=24.0), atol=1e-4)


def test_slices_in_one_place_are_stacked_about_it(scanner, read):
    for index in range(4):
        for line in range(24):
            scanner.acquire(line, slice=index)
    scan = read(scanner)
    assert scan.voxel == (2.0, 1.5, 5.0)
    np.testing.assert_allclose(scan.affine @ [12, 8, 2, 1], [*scanner.position, 1])
    np.testing.assert_allclose(scan.affine[:3, 2], [0, 0, 5])


def test_lines_that_say_no_direction_are_centred(scanner, read):
    scanner.directions = np.zeros((3, 3))
    scanner.points = []
    for line in range(24):
        scanner.acquire(line, data=np.ones((3, 32)))
    np.testing.assert_allclose(read(scanner).affine @ [12, 8, 0, 1], [0, 0, 0, 1])


@pytest.mark.parametrize("directions", [AXIAL, OBLIQUE])
def test_3d_in_place(directions, read):
    """Slab oversampling and partial Fourier along both phase encodings."""
    scanner = Scanner(
        encoded=(32, 20, 12),
        recon=(16, 20, 8),
        fov=(64.0, 40.0, 36.0),
        recon_fov=(32.0, 40.0, 24.0),
        directions=directions,
        step_1=(16, 7),
        step_2=(9, 4),
    )
    scanner.points = [(scanner.voxel(5, -4, 3), 2j)]
    for partition in range(10):
        for line in range(17):
            scanner.acquire(line, partition)
    scan = read(scanner)
    sampled = np.zeros((32, 20, 12), bool)
    sampled[:, 3:20, 2:12] = True
    assert scan.kspace.shape == (1, 3, 1, 32, 20, 12)
    np.testing.assert_array_equal(scan.sampled[0], sampled)
    np.testing.assert_allclose(scan.kspace[0][:, 0], scanner.ideal() * sampled, **READ)
    assert scan.matrix == (16, 20, 8)
    assert scan.voxel == pytest.approx((2.0, 2.0, 3.0))
    assert scan.thickness is None
    np.testing.assert_allclose(brightest(scan), scanner.points[0][0], atol=1e-3)


@pytest.mark.parametrize("partition", [0, 1, 5])
def test_one_partition_is_a_slice(partition, read):
    """Pulseq on Siemens: the encoded matrix has a z of 2, or more, whatever was scanned."""
    scanner = Scanner(encoded=(32, 24, 1), recon=(16, 24, 1))
    scanner.points = [(scanner.voxel(3, -5), 4 + 1j)]
    for line in range(24):
        scanner.acquire(line, kspace_encode_step_2=partition)
    scanner.encoded, scanner.recon, scanner.step_2 = (32, 24, 6), (16, 24, 4), (5, 0)
    scan = read(scanner)
    assert scan.kspace.shape == (1, 3, 1, 32, 24)
    assert scan.matrix == (16, 24)
    assert scan.voxel == (2.0, 1.5, 5.0)
    assert scan.complete
    assert scan.calibration == ((0, 32), (0, 24))
    scanner.encoded = (32, 24, 1)
    np.testing.assert_allclose(scan.kspace[0][:, 0], scanner.ideal(), **READ)
    np.testing.assert_allclose(brightest(scan), scanner.points[0][0], atol=1e-4)


def test_slices_of_one_partition_each(read):
    scanner = Scanner()
    for index in range(3):
        scanner.points = [(scanner.voxel(index, -5, distance=6.0 * index), 1.0 + index)]
        for line in range(24):
            scanner.acquire(line, slice=index, distance=6.0 * index)
    scanner.encoded = (32, 24, 2)
    scan = read(scanner)
    assert scan.kspace.shape == (3, 3, 1, 32, 24)
    assert scan.voxel == pytest.approx((2.0, 1.5, 6.0))
    for index in range(3):
        place = scanner.voxel(index, -5, distance=6.0 * index)
        np.testing.assert_allclose(brightest(scan, index), place, atol=1e-4)


@pytest.mark.parametrize("missing", ["start", "end"])
def test_a_centre_that_nothing_says_is_where_the_energy_is(scanner, read, missing):
    """Partial Fourier: 15 of 24 lines, counted from the first acquired."""
    first = 9 if missing == "start" else 0
    scanner.step_1 = (23, 12 - first)
    for line in range(15):
        decay = np.exp(-(((line + first - 12) / 6) ** 2))  # a point alone has no peak
        scanner.acquire(line, gain=decay)
    scanner.step_1 = (0, 0)
    scan = read(scanner)
    sampled = np.zeros(24, bool)
    sampled[first : first + 15] = True
    np.testing.assert_array_equal(scan.sampled[0].any(0), sampled)
    decay = np.exp(-(((np.arange(24) - 12) / 6) ** 2)) * sampled
    np.testing.assert_allclose(scan.kspace[0][:, 0], scanner.ideal() * decay, **READ)


def test_a_centre_beyond_all_lines_says_nothing(scanner, read):
    """A placeholder of 64 lines, of which 24 were acquired."""
    for line in range(24):
        scanner.acquire(line, gain=10.0 if line == 12 else 1.0)
    scanner.encoded, scanner.step_1 = (32, 64, 1), (63, 32)
    scan = read(scanner)
    np.testing.assert_array_equal(np.flatnonzero(scan.sampled[0].any(0)), range(20, 44))
    (warning,) = scan.warnings
    assert "centre of phase encoding 1 at line 32, but lines 0 to 23 were acquired" in warning


def test_a_centre_that_nothing_says_is_in_the_middle_where_the_energy_is_near(scanner, read):
    for line in range(0, 24, 3):
        scanner.acquire(line, gain=10.0 if line == 15 else 1.0)
        scanner.acquire(line, gain=10.0 if line == 12 else 1.0, phase=1)
    scanner.step_1 = (0, 0)
    np.testing.assert_array_equal(np.flatnonzero(read(scanner).sampled[0].any(0)), range(0, 24, 3))


@pytest.mark.parametrize(("acquired", "says"), [(range(15), "is 14"), (range(0, 24, 3), None)])
def test_lines_that_the_header_announces_are_missed(scanner, read, acquired, says):
    """Stopped, with nothing to compare with: what there is, is kept."""
    for line in acquired:
        scanner.acquire(line)
    scan = read(scanner)
    np.testing.assert_array_equal(np.flatnonzero(scan.sampled[0].any(0)), acquired)
    assert len(scan.warnings) == (says is not None)
    assert not says or "lines up to 23 along phase encoding 1" in scan.warnings[0]
    assert not says or says in scan.warnings[0]


def test_noise_is_scaled_to_the_imaging_bandwidth(scanner, read):
    """White noise of one density, sampled four times as slowly and 80 % of it let through."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(3, 50)) + 1j * rng.normal(size=(3, 50))
    line = scanner.acquire(0, data=noise, centre=0, flags=(ismrmrd.ACQ_IS_NOISE_MEASUREMENT,))
    line.sample_time_us = 20.0
    for line in range(24):
        scanner.acquire(line)
    header = scanner.header()
    system = ismrmrd.xsd.acquisitionSystemInformationType(relativeReceiverNoiseBandwidth=0.8)
    header.acquisitionSystemInformation = system
    scan = read(scanner, header)
    np.testing.assert_allclose(scan.noise, noise * np.sqrt(20 / 5 / 0.8), rtol=1e-5)
    np.testing.assert_allclose(scan.kspace[0][:, 0], scanner.ideal(), **READ)


@pytest.mark.parametrize(
    "flag",
    [
        ismrmrd.ACQ_IS_NAVIGATION_DATA,
        ismrmrd.ACQ_IS_PHASECORR_DATA,
        ismrmrd.ACQ_IS_HPFEEDBACK_DATA,
        ismrmrd.ACQ_IS_DUMMYSCAN_DATA,
        ismrmrd.ACQ_IS_RTFEEDBACK_DATA,
        ismrmrd.ACQ_IS_SURFACECOILCORRECTIONSCAN_DATA,
        ismrmrd.ACQ_IS_PHASE_STABILIZATION_REFERENCE,
        ismrmrd.ACQ_IS_PHASE_STABILIZATION,
    ],
)
def test_lines_that_are_no_imaging_are_left_out(scanner, read, flag):
    for line in range(24):
        scanner.acquire(line, data=np.ones((2, 7)), flags=(flag,))
        scanner.acquire(line, flags=(ismrmrd.ACQ_LAST_IN_SLICE,))
    np.testing.assert_allclose(read(scanner).kspace[0][:, 0], scanner.ideal(), **READ)


@pytest.mark.parametrize(
    ("mode", "joined"), [(None, True), ("embedded", True), ("separate", False)]
)
def test_lines_for_calibration_alone(scanner, read, mode, joined):
    """Every third line, and a centre in between; one line is there both ways."""
    only, both = (
        ismrmrd.ACQ_IS_PARALLEL_CALIBRATION,
        ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING,
    )
    scanner.acquire(9, flags=(only,), gain=7)
    for line in range(24):
        if line % 3 == 0:
            scanner.acquire(line, flags=(both, only) if line % 2 else ())
        elif 6 <= line <= 17:
            scanner.acquire(line, flags=(only,))
    header = scanner.header()
    if mode:
        header.encoding[0].parallelImaging = ismrmrd.xsd.parallelImagingType(
            accelerationFactor=ismrmrd.xsd.accelerationFactorType(
                kspace_encoding_step_1=3, kspace_encoding_step_2=1
            ),
            calibrationMode=ismrmrd.xsd.calibrationModeType(mode),
        )
    scan = read(scanner, header)
    lines = np.arange(24)
    sampled = (lines % 3 == 0) | ((lines >= 6) & (lines <= 18) & joined)
    np.testing.assert_array_equal(scan.sampled[0].any(0), sampled)
    np.testing.assert_allclose(scan.kspace[0][:, 0], scanner.ideal() * sampled, **READ)
    assert scan.calibration == (((0, 32), (6, 19)) if joined else None)


def separately_calibrated(scanner, mode):
    """Every third line; and a centre of another contrast, of more averages and fewer samples."""
    header = scanner.header()
    header.encoding[0].parallelImaging = ismrmrd.xsd.parallelImagingType(
        accelerationFactor=ismrmrd.xsd.accelerationFactorType(
            kspace_encoding_step_1=3, kspace_encoding_step_2=1
        ),
        calibrationMode=ismrmrd.xsd.calibrationModeType(mode),
    )
    for line in range(0, 24, 3):
        scanner.acquire(line)
    for average in range(2):
        for line in range(6, 18):
            flags = (ismrmrd.ACQ_IS_PARALLEL_CALIBRATION,)
            scanner.acquire(line, flags=flags, gain=6 + 2 * average, average=average)
    return header


@pytest.mark.parametrize("mode", ["separate", "external"])
def test_lines_for_calibration_of_another_contrast(scanner, read, mode):
    header = separately_calibrated(scanner, mode)
    scan = read(scanner, header)
    assert scan.calibration is None
    thirds, centre = np.arange(24) % 3 == 0, np.isin(np.arange(24), range(6, 18))
    np.testing.assert_allclose(scan.kspace[0][:, 0], scanner.ideal() * thirds, **READ)
    found = scan.reference
    np.testing.assert_allclose(found.kspace[0][:, 0], scanner.ideal(gain=7) * centre, **READ)
    assert found.calibration == ((0, 32), (6, 18))
    assert found.reference is None
    np.testing.assert_array_equal(found.affine, scan.affine)


def test_unusable_lines_for_calibration_of_another_contrast_are_left_out(scanner, read):
    header = separately_calibrated(scanner, "separate")
    scanner.acquire(7, flags=(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION,))  # a third time
    assert read(scanner, header).reference is None


def test_a_scan_made_for_calibration(scanner, read):
    for line in range(24):
        scanner.acquire(line, flags=(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION,))
    np.testing.assert_allclose(read(scanner).kspace[0][:, 0], scanner.ideal(), **READ)


def test_what_a_vendor_filled_with_zeros_was_not_sampled(scanner, read):
    for index in range(3):
        for line in range(24):
            data = scanner.signal(np.arange(-16, 16), line - 12)
            data[:, :4] = 0
            scanner.acquire(line, slice=index, data=data * (line > 3), centre=16)
    scan = read(scanner)
    sampled = np.ones((32, 24), bool)
    sampled[:4], sampled[:, :4] = False, False
    np.testing.assert_array_equal(scan.sampled[0], sampled)
    np.testing.assert_allclose(scan.kspace[2][:, 0], scanner.ideal() * sampled, **READ)


def test_a_ges_scan_of_mridata_org(scanner, read):
    """Signs alternate where ChopY is 0; lines beyond the limits are phase correction."""
    for line in range(24):
        data = scanner.signal(np.arange(-16, 16), line - 12) * (-1) ** line
        scanner.acquire(line, data=data, centre=16, segment=line % 4)
    for line in range(24, 28):
        scanner.acquire(line, data=np.ones((3, 32)), centre=16, segment=line % 4)
    header = scanner.header()
    header.userParameters = ismrmrd.xsd.userParametersType(
        userParameterLong=[
            ismrmrd.xsd.userParameterLongType(name="ChopY", value=0),
            ismrmrd.xsd.userParameterLongType(name="ChopZ", value=1),
        ]
    )
    np.testing.assert_allclose(read(scanner, header).kspace[0][:, 0], scanner.ideal(), **READ)


def refusal(scanner, read, header=None):
    with pytest.raises(BadInput) as caught:
        read(scanner, header)
    message = str(caught.value)
    assert "\n" not in message
    assert "scan" in message
    return message


def test_two_lines_in_one_place_are_refused(scanner, read):
    for line in range(24):
        scanner.acquire(line, phase=4)
    scanner.acquire(7, phase=4, segment=1)
    message = refusal(scanner, read)
    assert "kspace_encode_step_1 7" in message
    assert "phase 4" in message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"step_1": 25, "data": np.ones((3, 32))}, "kspace_encode_step_1 25 lies outside"),
        ({"step_2": 1}, "kspace_encode_step_2 1 lies outside"),
        ({"first": -9, "samples": 30}, "30 samples (center_sample 9"),
        ({"first": -30, "samples": 40}, "does not fit"),
        ({"pad": (0, 0), "samples": 1, "first": 0, "data": np.ones((3, 0))}, "does not fit"),
    ],
)
def test_lines_that_contradict_the_header_are_refused(scanner, read, given, message):
    for line in range(23):
        scanner.acquire(line)
    scanner.step_1, scanner.step_2 = (99, 12), (9, 0)
    scanner.acquire(**{"step_1": 23, "centre": 9, **given})
    assert message in refusal(scanner, read)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e16j])
def test_values_that_nothing_can_be_made_of_are_refused(scanner, read, value):
    for line in range(24):
        scanner.acquire(line, data=np.full((3, 32), value))
    assert "k-space values that are not finite numbers, or beyond 1e+15" in refusal(scanner, read)


@pytest.mark.parametrize("value", [np.nan, 1e16])
def test_noise_that_nothing_can_be_made_of_is_left_out(scanner, read, value):
    noise = np.full((3, 32), value)
    scanner.acquire(0, data=noise, flags=(ismrmrd.ACQ_IS_NOISE_MEASUREMENT,), centre=0)
    for line in range(24):
        scanner.acquire(line)
    scan = read(scanner)
    assert scan.noise is None
    (warning,) = scan.warnings
    assert "noise scan holds values that are not finite" in warning


def test_a_matrix_that_nobody_sampled_is_refused(scanner, read):
    scanner.acquire(3)
    scanner.acquire(3, 1)
    scanner.encoded = (32, 65000, 60000)
    assert "32 × 65000 × 60000" in refusal(scanner, read)


def test_nothing_to_image_is_refused(scanner, read):
    scanner.acquire(3, flags=(ismrmrd.ACQ_IS_NAVIGATION_DATA,))
    assert "none of its 1 acquisitions" in refusal(scanner, read)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda line: setattr(line, "read_dir", (1.0, 1.0, 0.0)), "right angles"),
        (lambda line: setattr(line, "position", (np.nan, 0.0, 0.0)), "not finite"),
    ],
)
def test_unsound_places_are_refused(scanner, read, change, message):
    scanner.acquire(12, data=np.ones((3, 32)))
    scanner.acquire(12, data=np.ones((3, 32)), slice=1, distance=8.0)
    scanner.acquire(12, data=np.ones((3, 32)), slice=2, distance=16.0)
    for line in scanner.acquisitions:
        change(line)
    assert message in refusal(scanner, read)


def test_noise_of_other_channels_is_left_out(scanner, read):
    noise = (ismrmrd.ACQ_IS_NOISE_MEASUREMENT,)
    scanner.acquire(0, data=np.ones((2, 9)), flags=noise, centre=0)
    for line in range(24):
        scanner.acquire(line)
    scan = read(scanner)
    assert scan.noise is None
    (warning,) = scan.warnings
    assert "noise scan has 2 channels, but its lines have 3" in warning
    np.testing.assert_allclose(scan.kspace[0][:, 0], scanner.ideal(), **READ)
    # Beside noise of the right ones, nothing is lost.
    scanner.acquire(0, data=np.full((3, 9), 2), flags=noise, centre=0)
    scan = read(scanner)
    np.testing.assert_array_equal(scan.noise, np.full((3, 9), 2))
    assert scan.warnings == ()


def test_an_empty_slice_in_the_middle_says_nothing_of_the_others(scanner, read):
    for number in range(3):
        for line in range(24):
            scanner.acquire(line, slice=number, distance=5.0 * number, gain=float(number != 1))
    scan = read(scanner)
    assert scan.complete
    np.testing.assert_allclose(scan.kspace[2][:, 0], scanner.ideal(distance=10.0), **READ)


def test_the_centre_of_energy_is_not_looked_for_in_an_empty_slice(scanner, read):
    header = scanner.header()
    header.encoding[0].encodingLimits = ismrmrd.xsd.encodingLimitsType()
    scanner.points = [(scanner.voxel(0, place), 1) for place in range(-3, 4)]
    for number in range(3):
        for line in range(8, 24):  # partial Fourier, counted from 0
            place = {"slice": number, "distance": 5.0 * number}
            scanner.acquire(line, gain=float(number != 1), **place)
            scanner.acquisitions[-1].idx.kspace_encode_step_1 = line - 8
    scan = read(scanner, header)
    np.testing.assert_array_equal(np.flatnonzero(scan.sampled.any((0, 1))), range(8, 24))


def test_calibration_with_an_encoding_of_its_own_is_the_reference(scanner, read):
    """Eight lines of all, of a matrix as small, as converters have them of another sequence."""
    header = scanner.header()
    small = replace(scanner, encoded=(32, 8, 1), recon=(16, 8, 1), step_1=(7, 4), acquisitions=[])
    header.encoding.append(small.header().encoding[0])
    for line in range(0, 24, 2):
        scanner.acquire(line)
    for line in range(8):
        own = small.acquire(line, flags=(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION,))
        own.encoding_space_ref = 1
        scanner.acquisitions.append(own)
    scan = read(scanner, header)
    assert scan.kspace.shape == (1, 3, 1, 32, 24)
    np.testing.assert_allclose(scan.reference.kspace[0][:, 0], small.ideal(), **READ)
    assert scan.reference.reference is None
