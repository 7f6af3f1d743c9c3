from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gleam.errors import BadInput
from gleam.formats.scan import calibration_box, centred_affine, usable


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1.1e15, -1.1e15])
def test_values_that_nothing_can_be_made_of(value):
    values = np.full((2, 3), 1e15 - 1e15j, np.complex64)
    assert usable(values)
    for part in (values.real, values.imag):
        part[1, 2], kept = value, part[1, 2]
        assert not usable(values)
        part[1, 2] = kept


def test_one_dimensional_undersampling_keeps_its_centre_lines():
    lines = np.zeros(64, bool)
    lines[::4] = True
    lines[22:42] = True  # 20 centre lines, and line 20 stands apart
    box = calibration_box(np.broadcast_to(lines, (1, 48, 64)))
    assert box == ((0, 48), (22, 42))


def test_two_dimensional_undersampling_with_a_central_box():
    pattern = np.zeros((1, 51, 40), bool)
    pattern[:, ::2, ::2] = True
    pattern[:, 25 - 8 : 25 + 8, 20 - 6 : 20 + 6] = True
    # The lattice adds one sampled position to no full row, so the box stays as drawn.
    assert calibration_box(pattern) == ((17, 33), (14, 26))


def test_a_central_disc_gives_its_inscribed_square():
    y, x = np.indices((101, 101)) - 50
    pattern = (y**2 + x**2 <= 20**2)[None]
    box = calibration_box(pattern)
    sides = [stop - start for start, stop in box]
    assert pattern[:, *(slice(*s) for s in box)].all()
    assert sides[0] * sides[1] >= 28 * 28  # 2 · 20 / √2 = 28.3


@pytest.mark.parametrize("shape", [(7, 8), (6, 5, 4), (1, 9)])
def test_full_sampling_gives_the_whole_extent(shape):
    assert calibration_box(np.ones((2, *shape), bool)) == tuple((0, n) for n in shape)


def test_one_sided_edges_leave_the_centred_part():
    pattern = np.zeros((1, 8, 64), bool)
    pattern[..., 20:] = True  # partial Fourier: 12 lines before the centre
    assert calibration_box(pattern) == ((0, 8), (20, 45))


def test_frames_share_the_box_that_all_of_them_sample():
    pattern = np.zeros((2, 16, 32), bool)
    pattern[0, :, 8:24] = True
    pattern[1, :, 12:28] = True
    assert calibration_box(pattern) == ((0, 16), (12, 21))


def test_no_box_when_the_centre_is_missing_or_thin():
    pattern = np.ones((1, 32, 32), bool)
    pattern[0, 16, 16] = False
    assert calibration_box(pattern) is None
    thin = np.zeros((1, 32, 32), bool)
    thin[..., 15:18] = True
    assert calibration_box(thin) is None


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=25)
def test_no_centred_box_is_larger(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(4, 9, size=2))
    pattern = rng.random((1, *shape)) < 0.97
    best = 0
    for h in range(4, shape[0] + 1):
        for w in range(4, shape[1] + 1):
            y, x = shape[0] // 2 - h // 2, shape[1] // 2 - w // 2
            if pattern[0, y : y + h, x : x + w].all():
                best = max(best, h * w)
    box = calibration_box(pattern)
    found = 0 if box is None else (box[0][1] - box[0][0]) * (box[1][1] - box[1][0])
    assert found == best


def test_complete_allows_missing_edges_but_no_gaps(make_scan):
    edges = np.zeros((6, 10), bool)
    edges[:, 3:9] = True
    gap = edges.copy()
    gap[:, 5] = False
    other_frame = np.stack([edges, np.roll(edges, 1, axis=1)])
    assert make_scan((1, 2, 1, 6, 10), edges).complete
    assert not make_scan((1, 2, 1, 6, 10), gap).complete
    assert not make_scan((1, 2, 2, 6, 10), other_frame).complete
    # an axis of length 1 stands for all its positions
    assert make_scan((1, 2, 1, 6, 10), sampled=edges[:1]).complete


@pytest.mark.parametrize(
    ("shape", "pattern"),
    [
        ((2, 3, 1, 4), (1, 4)),
        ((2, 3, 1, 4, 5, 6), (1, 4, 5, 6)),
        ((2, 0, 1, 4, 5), (1, 4, 5)),
        ((2, 3, 1, 4, 5), (1, 4, 6)),
        ((2, 3, 1, 4, 5), (4, 5)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(make_scan, shape, pattern):
    kspace, sampled = np.ones(shape, np.complex64), np.ones(pattern, bool)
    scan = make_scan((2, 3, 1, 4, 5))
    with pytest.raises(BadInput, match="shape"):
        replace(scan, kspace=kspace, sampled=sampled)


def test_an_empty_scan_is_refused(make_scan):
    with pytest.raises(BadInput, match="empty"):
        make_scan((1, 2, 1, 4, 5), np.zeros((4, 5), bool))


def test_the_centred_affine_puts_the_central_voxel_at_the_origin():
    two_d = centred_affine((6, 9), (2.0, 3.0, 5.0), slices=4)  # y x, then the slice distance
    np.testing.assert_allclose(two_d @ [4, 3, 2, 1], [0, 0, 0, 1])
    np.testing.assert_allclose(two_d @ [5, 4, 3, 1], [3, 2, 5, 1])
    three_d = centred_affine((4, 6, 9), (5.0, 2.0, 3.0), slices=1)  # z y x
    np.testing.assert_allclose(three_d, two_d)
