"""What is left out of a series that stopped early, and what is not."""

from functools import partial
from itertools import product

import ismrmrd
import numpy as np
import pytest
from scanner import Scanner

from gleam.formats.mrd.acquisitions import assemble
from gleam.formats.mrd.head import ACQUISITION_HEADER
from gleam.formats.mrd.header import parse
from gleam.formats.mrd.series import unfinished
from gleam.formats.parts import only

COUNTERS = {"line": "kspace_encode_step_1", "partition": "kspace_encode_step_2"}


def heads(acquired):
    """From counters, in the order of time."""
    made = np.zeros(len(acquired), ACQUISITION_HEADER)
    for head, counters in zip(made, acquired, strict=True):
        for counter, value in counters.items():
            if counter == "flags":
                head["flags"] = value
            else:
                head["idx"][COUNTERS.get(counter, counter)] = value
    return made


def loops(**sizes):
    """Every combination of counters, the first the outermost loop."""
    return [
        dict(zip(sizes, values, strict=True)) for values in product(*map(range, sizes.values()))
    ]


def left(acquired):
    """The lines that stay, and the warning."""
    out, warnings = unfinished(heads(acquired), np.ones(len(acquired), np.bool_))
    return [one for one, gone in zip(acquired, out, strict=True) if not gone], warnings


def without_last(acquired, counter):
    last = max(one[counter] for one in acquired)
    return [one for one in acquired if one[counter] != last]


@pytest.mark.parametrize("stop", [1, 2, 9, 23])
@pytest.mark.parametrize("repetitions", [2, 3, 7])
@pytest.mark.parametrize(
    "inner",
    [
        {"line": 24},
        {"line": 12, "slice": 2},
        {"slice": 2, "line": 12},
        {"line": 8, "contrast": 3},
        {"partition": 4, "line": 6},
        {"average": 2, "set": 2, "line": 6},
    ],
)
def test_the_repetition_that_was_not_finished(inner, repetitions, stop):
    acquired = loops(repetition=repetitions, **inner)[:-stop]
    if "average" in inner and stop < 12:
        assert left(acquired) == (acquired, ())  # one average is there of each line
        return
    kept, (warning,) = left(acquired)
    assert kept == without_last(acquired, "repetition")
    assert f"last repetition, number {repetitions - 1} from 0, was not finished" in warning
    if "average" not in inner:
        assert f"({24 - stop} of 24 lines)" in warning


@pytest.mark.parametrize("counter", ["phase", "set", "contrast"])
def test_any_counter_that_is_the_outermost_loop(counter):
    acquired = loops(**{counter: 4}, slice=2, line=6)[:-3]
    kept, (warning,) = left(acquired)
    assert kept == without_last(acquired, counter)
    assert f"last {counter}, number 3" in warning


def test_slices_that_were_acquired_one_after_the_other():
    acquired = loops(slice=4, repetition=3, line=8)[:-11]
    kept, (warning,) = left(acquired)
    assert kept == without_last(acquired, "slice")
    assert "last slice, number 3" in warning


def test_a_single_pass_through_slices_in_turn():
    """Line 22 has two of three slices."""
    acquired = loops(line=24, slice=3)[:-4]
    kept, (warning,) = left(acquired)
    assert kept == without_last(acquired, "line")
    assert "last phase encoding, number 22 from 0, was not finished (2 of 3 lines)" in warning
    for whole in (
        loops(line=24, slice=3),
        loops(line=24, slice=3)[:-3],
        loops(line=24, phase=3)[:-1],
    ):
        assert left(whole) == (whole, ())


def test_a_file_that_is_sorted_otherwise():
    """By slice, where the scanner visited them in turn."""
    acquired = loops(repetition=3, line=8, slice=2)[:-5]
    in_file = sorted(acquired, key=lambda one: one["slice"])
    kept, _ = left(in_file)
    assert kept == without_last(in_file, "repetition")
    # Only the clock tells that a phase was the outermost loop.
    acquired = loops(phase=3, line=8, slice=2)[:-5]
    order = sorted(range(len(acquired)), key=lambda n: acquired[n]["slice"])
    clocked = heads([acquired[n] for n in order])
    clocked["scan_counter"] = order
    out, _ = unfinished(clocked, np.ones(len(clocked), np.bool_))
    np.testing.assert_array_equal(out, clocked["idx"]["phase"] == 2)


def keep(pattern, frames=6, lines=24, **fields):
    """A series whose frames sample the lines that `pattern` says of frame and line."""
    whole = loops(repetition=frames, line=lines)
    return [one | fields for one in whole if pattern(one["repetition"], one["line"])]


RANDOM = np.random.default_rng(0).random((6, 24)) < 0.4


@pytest.mark.parametrize(
    "acquired",
    [
        loops(line=24),
        loops(repetition=3, line=24),
        keep(lambda frame, line: (line + frame) % 5 == 0),  # interleaved: not all as many
        keep(lambda frame, line: (line + frame) % 4 == 0, frames=3, lines=22),
        keep(lambda frame, line: RANDOM[frame, line]),
        keep(lambda frame, line: frame == 0 or 8 <= line < 16),  # keyhole
        keep(lambda frame, line: frame == 0 or 8 <= line < 16, frames=2),
        keep(lambda frame, line: frame % 2 == 0 or 8 <= line < 16),
        # A segmented cine: the last heartbeat reached three of five phases.
        loops(segment=4, phase=5, line=2)[:-4],
        # Heartbeats of as many phases as there was time for.
        [
            one
            for one in loops(repetition=4, phase=6, line=4)
            if one["phase"] < (6, 5, 6, 4)[one["repetition"]]
        ],
        # Velocities in turn; nothing is whole without the other.
        loops(line=8, set=4)[:-2],
    ],
    ids=lambda acquired: f"{len(acquired)} lines",
)
def test_what_stays(acquired):
    acquired = [one | {"line": 2 * one.get("segment", 0) + one["line"]} for one in acquired]
    assert left(acquired) == (acquired, ())


def test_calibration_lines_that_the_first_repetition_has_alone():
    both = 1 << 20  # ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING
    assert both == 1 << (ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING - 1)
    thirds = [one for one in loops(repetition=3, line=24) if one["line"] % 3 == 0]
    centre = [{"repetition": 0, "line": n, "flags": both} for n in range(10, 15) if n % 3]
    for acquired in (centre + thirds, thirds[:8] + centre + thirds[8:]):
        assert left(acquired) == (acquired, ())
        kept, _ = left(acquired[:-1])
        assert kept == without_last(acquired, "repetition")


def test_changing_patterns_that_stopped():
    """Every frame has eight lines of its own; the last has three."""
    acquired = keep(lambda frame, line: (line + frame) % 3 == 0)
    assert left(acquired) == (acquired, ())
    random = [np.random.default_rng(frame).permutation(24)[:8] for frame in range(5)]
    acquired = [{"repetition": r, "line": int(n)} for r in range(5) for n in random[r]]
    assert left(acquired) == (acquired, ())
    kept, _ = left(acquired[:-5])
    assert kept == without_last(acquired, "repetition")
    # One line more or less is nothing, unless slices then differ.
    assert left(acquired[:-1]) == (acquired[:-1], ())
    two = [one | {"slice": s} for one in acquired for s in range(2)]
    assert left(two) == (two, ())
    kept, _ = left(two[:-1])
    assert kept == without_last(two, "repetition")


def test_an_undersampled_series_that_stopped():
    acquired = [one for one in loops(repetition=4, line=24) if one["line"] % 3 == 0][:-2]
    kept, _ = left(acquired)
    assert kept == without_last(acquired, "repetition")


@pytest.mark.parametrize("last", [30, 47])
def test_frames_that_are_whole_are_the_scan(last):
    """As they would come through a stream; two slices in turn."""
    scanner = Scanner(encoded=(16, 48, 1), recon=(8, 48, 1))
    scanner.points = [(scanner.voxel(3, -5), 4 + 1j)]
    for repetition, line, index in np.ndindex(3, 48, 2):
        if (repetition, line, index) <= (2, last, 0):
            at = {"distance": 6.0 * index, "gain": 1.0 + repetition}
            scanner.acquire(line, repetition=repetition, slice=index, **at)
    lines = scanner.acquisitions
    scans = assemble(
        "scan",
        partial(parse, ismrmrd.xsd.ToXML(scanner.header()).encode()),
        np.frombuffer(b"".join(bytes(line.getHead()) for line in lines), ACQUISITION_HEADER),
        lambda wanted: [lines[i].data for i in wanted],
    )
    scan = only("scan", scans)
    assert scan.kspace.shape == (2, 3, 2, 16, 48)
    assert scan.complete
    assert scan.calibration == ((0, 16), (0, 48))
    assert "last repetition, number 2 from 0, was not finished" in scan.warnings[0]
    for index, repetition in np.ndindex(2, 2):
        expected = scanner.ideal(distance=6.0 * index, gain=1.0 + repetition)
        found = scan.kspace[index][:, repetition]
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-4)
