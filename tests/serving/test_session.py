import errno
import os
import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import ismrmrd
import numpy as np
import pytest
from client import POINT, answer_on, small_scanner, small_stream, stream
from ismrmrd.serialization import ConfigFile
from scanner import Scanner
from tiny import ZERO_FILLED
from toys import toy_network

from gleam.data.header import VERSION
from gleam.data.trained_on import TrainedOn
from gleam.formats import read_scan
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import MaskRecipe
from gleam.reconstruction.reconstruct import reconstruct
from gleam.reconstruction.reconstructor import Classical, Reconstructor, Trained
from gleam.serving.session import answer
from gleam.serving.wire import Limits

LIMITS = Limits(10**7, 20.0, 60.0)


def failing(error: Exception) -> Reconstructor:
    def fail(measurement: Any) -> Any:
        raise error

    return Classical("failing", fail)


def slow(measurement: Any) -> Any:
    time.sleep(0.2)
    return measurement.adjoint


def session(
    content: bytes,
    reconstructor: Reconstructor | None = None,
    limits: Limits = LIMITS,
    check: bool = False,
) -> tuple[list[Any], str]:
    """What comes back for a stream, and the line for the log."""
    chosen = ZERO_FILLED if reconstructor is None else reconstructor
    ours, theirs = socket.socketpair()
    said: list[str] = []
    server = threading.Thread(
        target=lambda: said.append(answer(ours, lambda: chosen, limits, check))
    )
    server.start()
    with theirs:
        theirs.sendall(content)
        messages = answer_on(theirs)
    server.join()
    return messages, said[0]


@pytest.mark.parametrize("noise", [True, False])
def test_images_are_those_of_the_same_scan_in_a_file(noise: bool, tmp_path: Path) -> None:
    scanner = small_scanner(noise)
    images, said = session(small_stream(scanner))
    scan = read_scan(scanner.write(tmp_path / "scan.h5"))
    volume = reconstruct(ZERO_FILLED, Prepared(scan, Settings()))
    assert [image.slice for image in images] == [0, 1]
    for index, image in enumerate(images):
        expected = np.abs(volume.image[index, 0])
        np.testing.assert_allclose(image.data[0, 0].T, expected, rtol=1e-5, atol=1e-6)
    megabytes = len(small_stream(scanner)) / 1e6
    lines = len(scanner.acquisitions)
    assert said == f"{lines} acquisitions, {megabytes:.1f} MB in; 2 images, 0.0 MB out"


def test_networks_that_go_on_from_wavelets_are_served_as_files_are(tmp_path: Path) -> None:
    network = toy_network(iterations=1, first_image="wavelet")
    chosen, scanner = Trained("from wavelets", network), small_scanner(False)
    images, _ = session(small_stream(scanner), chosen)
    example = Prepared(read_scan(scanner.write(tmp_path / "scan.h5")), Settings())
    expected = np.abs(reconstruct(chosen, example).image[:, 0])
    for image, one in zip(images, expected, strict=True):
        np.testing.assert_allclose(image.data[0, 0].T, one, rtol=1e-4, atol=1e-5)
    other = Trained("from zeros", toy_network(iterations=1))
    assert not np.allclose(np.abs(reconstruct(other, example).image[:, 0]), expected, rtol=1e-3)


def test_an_image_that_cannot_be_checked_goes_out_with_a_warning() -> None:
    """The small scanner samples all there is."""
    (text, *images), said = session(small_stream(small_scanner(False)), check=True)
    assert "WRN zero-filled: was not checked: scan: was sampled in full" in str(text)
    assert len(images) == 2
    assert "was not checked" in said


def test_compressed_sensing_stands_in_for_a_network_on_trial_that_cannot_be_checked() -> None:
    chosen = Trained("small", toy_network(iterations=1), on_trial=True)
    (text, *images), said = session(small_stream(small_scanner(False)), chosen)
    assert "WRN small: was not checked: scan: was sampled in full" in str(text)
    assert all("wavelet" in image.meta["ImageComments"] for image in images)
    assert said.count("was not checked") == 1


def test_the_verdict_is_in_the_header_of_every_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def checked(*_: Any, **__: Any) -> Any:
        return replace(reconstruct(*_[:2]), verdict="a verdict")

    monkeypatch.setattr("gleam.serving.session.image_of", checked)
    images, _ = session(small_stream(small_scanner(False)), check=True)
    assert images
    assert all("a verdict" in image.meta["ImageComments"] for image in images)


def test_what_was_left_out_of_the_scan_is_said_first() -> None:
    """Scanners tell a warning by its first three letters."""
    scanner = small_scanner(noise=False)
    noise = (ismrmrd.ACQ_IS_NOISE_MEASUREMENT,)
    scanner.acquire(0, data=np.ones((2, 64)), centre=0, flags=noise)
    (text, *images), said = session(small_stream(scanner))
    assert text.startswith("WRN its noise scan has 2 channels")
    assert [image.slice for image in images] == [0, 1]
    assert said.endswith(f"in; 2 images, 0.0 MB out; {text[4:-1]}")


def test_a_series_that_stopped_early_is_what_was_finished() -> None:
    scanner = Scanner()
    scanner.points = [(scanner.voxel(*POINT), 8.0)]
    for repetition, line in np.ndindex(3, 24):
        if (repetition, line) < (2, 20):
            scanner.acquire(line, repetition=repetition)
    (text, *images), _ = session(small_stream(scanner))
    assert text.startswith("WRN its last repetition, number 2 from 0, was not finished (20 of 24")
    assert [image.phase for image in images] == [0, 1]


def test_every_image_says_where_it_lies() -> None:
    scanner = small_scanner()
    images, _ = session(small_stream(scanner))
    for index, image in enumerate(images):
        pixels = image.data[0, 0]
        y, x = np.unravel_index(pixels.argmax(), pixels.shape)
        size = np.array(image.field_of_view[:2]) / image.matrix_size[:2]
        step = (np.array([x, y]) - np.array(image.matrix_size[:2]) // 2) * size
        found = np.array(image.position) + step @ np.array([image.read_dir, image.phase_dir])
        np.testing.assert_allclose(found, scanner.voxel(*POINT, distance=5.0 * index), atol=1e-3)
        for name, axis in (("ImageRowDir", image.read_dir), ("ImageColumnDir", image.phase_dir)):
            np.testing.assert_allclose([float(n) for n in image.meta[name]], axis)
        assert image.meta["ImageComments"] == "zero-filled; not for diagnosis"


def test_scanner_gets_its_own_numbers_back() -> None:
    scanner = small_scanner()
    for line in scanner.acquisitions:
        line.measurement_uid, line.patient_table_position = 349, (0.0, 1.0, -17.5)
    images, _ = session(small_stream(scanner))
    assert {image.measurement_uid for image in images} == {349}
    assert {tuple(image.patient_table_position) for image in images} == {(0.0, 1.0, -17.5)}


def undersampled() -> bytes:
    scanner = small_scanner()
    scanner.acquisitions = [
        line for line in scanner.acquisitions if line.idx.kspace_encode_step_1 % 2 == 0
    ]
    return small_stream(scanner)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (small_stream(old="cartesian", new="radial"), "the trajectory is 'radial'; only Cartesian"),
        (stream(None, *small_scanner().acquisitions), "before the header"),
        (undersampled(), "no fully sampled centre of k-space"),
        (small_stream(small_scanner())[:5000], "the stream ended before its close"),
        (stream(b"Dummy XML header"), "not well-formed XML"),
        (small_stream(old="<x>32</x>", new="<x>60000</x>"), "the header is wrong"),
        (bytes(5000), "message 0 is none"),
    ],
)
def test_what_cannot_be_used_is_answered_with_one_line(content: bytes, message: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(content)
        theirs.shutdown(socket.SHUT_WR)
        said = answer(ours, lambda: ZERO_FILLED, LIMITS)
        (text,) = answer_on(theirs)
    assert text.startswith("ERROR ")
    assert message in text
    assert "\n" not in text
    assert f"in; refused: {text[6:-1]}" in said


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "more memory than a"),
        (MemoryError(), "more memory than a connection may take"),
        (ValueError("Jane Doe"), "cannot be reconstructed (ValueError)"),
    ],
)
def test_failures_end_in_one_line(error: Exception, message: str) -> None:
    (text,), said = session(small_stream(), failing(error))
    assert "Jane" not in text
    assert message in said


def test_slow_reconstruction_is_stopped_between_slices() -> None:
    (text,), _ = session(small_stream(), Classical("slow", slow), Limits(10**7, 5.0, 0.1))
    assert "took longer than 0.1 s" in text


def test_question_without_a_scan_is_answered_with_a_close_alone() -> None:
    messages, said = session(stream(None))
    assert messages == []
    assert said == "0.0 MB in; 0 images, 0.0 MB out"


def test_refused_client_that_goes_on_sending_still_hears_why() -> None:
    content = small_stream(old="cartesian", new="spiral")
    (text,), _ = session(content + content * 40)
    assert "spiral" in text


def test_client_that_dies_is_an_end() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(small_stream())
    assert "the client went away" in answer(ours, lambda: ZERO_FILLED, LIMITS)


@pytest.mark.skipif(sys.platform == "win32", reason="has no named pipes in folders")
def test_configuration_file_is_never_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "configuration"
    os.mkfifo(pipe)  # to open it for reading would wait for ever
    first, rest = stream(None, ConfigFile(str(pipe)), close=False), small_stream()
    images, _ = session(first + rest)
    assert len(images) == 2
    with pytest.raises(OSError, match=os.strerror(errno.ENXIO)):  # nobody reads from it
        os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)


def test_patient_is_named_nowhere() -> None:
    subject = "<subjectInformation><patientName>Doe</patientName></subjectInformation><encoding>"
    with_patient = small_stream(old="<encoding>", new=subject)
    for content in (with_patient, with_patient.replace(b"cartesian", b"polarised")):
        messages, said = session(content)
        assert "Doe" not in said
        assert not any("Doe" in getattr(m, "attribute_string", m) for m in messages)


@pytest.mark.parametrize("force", [False, True])
def test_a_network_for_another_kind_of_scan_is_not_used_unless_forced(force: bool) -> None:
    nothing = TrainedOn.unrecorded(MaskRecipe(acceleration=4)).model_dump()
    volumes = TrainedOn(**nothing | {"version": 2, "preparations": [VERSION], "kinds": ["volumes"]})
    chosen = Trained("knees", toy_network(iterations=1), trained_on=volumes, force=force)
    texts, said = session(small_stream(small_scanner()), chosen)
    why = "knees: was trained on volumes, but scan holds 2D slices"
    if not force:
        advice = "use a run that was trained on such scans, or wavelet, which needs no training"
        refusal = f"{why}; {advice}, or say --force"
        assert texts == [f"ERROR {refusal}\0"]
        assert said.endswith(f"refused: {refusal}")
        return
    kind, acceleration, *images = texts
    doubt = "knees: was trained at 4×, and scan is 1× accelerated"
    assert (kind, acceleration) == (f"WRN {why}\0", f"WRN {doubt}\0")
    assert len(images) == 2
    assert said.endswith(f"; {why}; {doubt}")


def test_each_part_of_a_scan_comes_back_as_a_series() -> None:
    """A stack with a gap; and a part that nothing can be made of is said, and no more."""
    scanner = Scanner()
    scanner.points = [(scanner.voxel(3, -5), 4 + 1j)]
    for index, distance in enumerate((0, 5, 40)):
        for line in range(24):
            scanner.acquire(line, slice=index, distance=distance)
    for line in range(0, 24, 2):  # no centre
        scanner.acquire(line, slice=3, distance=80)
    text, *images = session(small_stream(scanner))[0]
    series = [image.image_series_index for image in images]
    assert series == [0, 0, 1]
    assert [image.position[2] for image in images] == pytest.approx([30.0, 35.0, 70.0])
    assert text.startswith("WRN scan-slice3")
