"""Frames whose times are known by construction."""

import ismrmrd
import numpy as np
import pytest
from scanner import Scanner

from gleam.formats.mrd.head import ACQUISITION_HEADER
from gleam.formats.mrd.header import parse
from gleam.formats.mrd.time import frame_time

TICK = 2.5  # ms, Siemens'


@pytest.fixture
def scanner():
    scanner = Scanner(encoded=(8, 12, 1))
    scanner.points = [(scanner.voxel(0, 0), 1)]
    return scanner


def time(scanner, vendor="SIEMENS", **sequence):
    xsd = ismrmrd.xsd
    header = scanner.header()
    header.acquisitionSystemInformation = xsd.acquisitionSystemInformationType(systemVendor=vendor)
    header.sequenceParameters = xsd.sequenceParametersType(**sequence)
    heads = b"".join(bytes(line.getHead()) for line in scanner.acquisitions)
    heads = np.frombuffer(heads, ACQUISITION_HEADER)
    counters = heads["idx"][["contrast", "set", "repetition", "phase"]]
    _, frames = np.unique(counters, return_inverse=True)
    return frame_time(parse(xsd.ToXML(header).encode()), heads, frames)


def segmented_cine(scanner, tr=3.2, beats=(0.0, 912.0, 1790.0), stamped=True, **given):
    """Each heartbeat, four of the twelve lines in every of five phases, at so many ms."""
    for beat, start in enumerate(beats):
        for phase in range(5):
            for echo in range(4):
                now = 3e7 + start + (4 * phase + echo) * tr
                line = scanner.acquire(3 * echo + beat, phase=phase, segment=beat, **given)
                line.acquisition_time_stamp = int(now / TICK) if stamped else 0


def test_heartbeats_count_from_beat_to_beat(scanner):
    segmented_cine(scanner)
    assert time(scanner) == pytest.approx(4 * 3.2, abs=TICK / 4)


@pytest.mark.parametrize("vendor", ["SIEMENS", "Siemens Healthineers"])
def test_repetitions_of_several_slices(scanner, vendor):
    now = 1000
    for repetition in range(3):
        for index in range(2):
            for step in range(12):
                line = scanner.acquire(step, repetition=repetition, slice=index)
                line.acquisition_time_stamp, now = now, now + 2
    assert time(scanner, vendor) == 2 * 12 * 2 * TICK


@pytest.mark.parametrize("vendor", ["GE MEDICAL SYSTEMS", "", None])
def test_stamps_of_unknown_unit_say_nothing(scanner, vendor):
    segmented_cine(scanner)
    assert time(scanner, vendor) is None


def test_one_frame_has_no_time(scanner):
    for step in range(12):
        scanner.acquire(step, phase=3).acquisition_time_stamp = step
    assert time(scanner, TR=[40.0], echo_spacing=[3.2]) is None


@pytest.mark.parametrize("counter", ["contrast", "set"])
def test_weightings_are_no_course_of_time(scanner, counter):
    for frame in range(3):
        for step in range(12):
            scanner.acquire(step, **{counter: frame}).acquisition_time_stamp = 12 * frame + step
    assert time(scanner) is None


def test_phases_of_several_repetitions_are_no_even_course(scanner):
    segmented_cine(scanner)
    segmented_cine(scanner, repetition=1)
    assert time(scanner) is None


@pytest.mark.parametrize("starts", [(0, 40, 200), (200, 100, 0), (7, 7, 7)])
def test_frames_that_do_not_follow_evenly_have_no_time(scanner, starts):
    for frame, start in enumerate(starts):
        for step in range(12):
            scanner.acquire(step, phase=frame).acquisition_time_stamp = start + step
    assert time(scanner, TR=[40.0], echo_spacing=[3.2]) is None


def test_without_stamps_it_is_the_tr_of_siemens_cine(scanner):
    """As OCMR's `read_ocmr.py` reads its files."""
    segmented_cine(scanner, stamped=False)
    assert time(scanner, TR=[41.7], echo_spacing=[2.8]) == 41.7
    assert time(scanner, TR=[41.7]) is None
    assert time(scanner, TR=[2.8], echo_spacing=[2.8]) is None
    assert time(scanner, echo_spacing=[2.8]) is None
