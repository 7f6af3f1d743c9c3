import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from gleam.errors import BadInput
from gleam.physics.sampling import centre_box, draw

LINES = ("equispaced", "random")
OVER_TIME = ("kt-random", "kt-golden", "kt-vista")


@pytest.mark.parametrize("kind", LINES)
@pytest.mark.parametrize("size", [96, 97, 180])
@pytest.mark.parametrize("acceleration", [1.0, 2.5, 4.0, 7.9])
@pytest.mark.parametrize("centre", [0, 1, 8, 11])
def test_lines_are_exactly_as_many_as_asked(kind, size, acceleration, centre):
    for seed in range(5):
        mask = draw(kind, (size,), acceleration, (centre,), seed)
        assert mask.shape == (size,)
        assert np.count_nonzero(mask) == round(size / acceleration)
        assert mask[size // 2 - centre // 2 :][:centre].all()


@pytest.mark.parametrize(
    ("shape", "acceleration", "centre"),
    [
        ((64, 48), 4.0, (12, 10)),
        ((33, 45), 6.3, (7, 4)),
        ((40, 40), 1.0, (0, 0)),
        ((40, 40), 1.3, (8, 8)),
        ((16, 90), 12.0, (0, 6)),
        ((32, 32), 16.0, (8, 8)),  # the centre is the whole budget
    ],
)
def test_poisson_samples_are_exactly_as_many_as_asked(shape, acceleration, centre):
    for seed in range(3):
        mask = draw("poisson", shape, acceleration, centre, seed)
        assert mask.shape == shape
        assert np.count_nonzero(mask) == round(shape[0] * shape[1] / acceleration)
        assert mask[centre_box(shape, centre)].all()


@pytest.mark.parametrize("n", [8, 9])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_centre_box_holds_the_zero_frequency(n, size):
    (box,) = centre_box((n,), (size,))
    frequencies = np.fft.fftshift(np.fft.fftfreq(n, 1 / n))[box]
    assert len(frequencies) == size
    assert 0 in frequencies
    assert abs(frequencies.mean()) <= 0.5


def test_equispaced_lines_keep_two_neighbouring_distances():
    size, centre = 200, 12
    offsets = set()
    for seed in range(20):
        mask = draw("equispaced", (size,), 3.3, (centre,), seed)
        (box,) = centre_box((size,), (centre,))
        outside = np.flatnonzero(np.delete(mask, np.arange(size)[box]))
        gaps = np.diff(outside, append=outside[0] + size - centre)  # around the end
        assert gaps.max() - gaps.min() <= 1
        offsets.add(int(outside[0]))
    assert len(offsets) > 2


def test_random_lines_are_uniform_outside_the_centre():
    masks = [draw("random", (60,), 4.0, (4,), seed) for seed in range(600)]
    (box,) = centre_box((60,), (4,))
    rate = np.delete(np.mean(masks, axis=0), np.arange(60)[box])
    expected = 11 / 56
    assert abs(rate - expected).max() < 5 * np.sqrt(expected * (1 - expected) / 600)


@pytest.mark.parametrize("kind", [*LINES, "poisson"])
def test_seeds_repeat_and_differ(kind):
    shape, centre = ((64, 50), (8, 8)) if kind == "poisson" else ((64,), (8,))
    first = draw(kind, shape, 4.0, centre, 1)
    assert draw(kind, shape, 4.0, centre, 1) is first  # kept
    draw.cache_clear()
    np.testing.assert_array_equal(draw(kind, shape, 4.0, centre, 1), first)
    assert not np.array_equal(first, draw(kind, shape, 4.0, centre, (1, 7)))
    with pytest.raises(ValueError, match="read-only"):
        first[0] = True


def _nearest_and_radius(mask):
    places = np.argwhere(mask)
    nearest = cKDTree(places).query(places, k=2)[0][:, 1]
    half = np.array(mask.shape) / 2
    return nearest, np.hypot(*((places - half) / half).T)


@pytest.mark.parametrize("acceleration", [4.0, 8.0, 15.0])
def test_poisson_spacing_grows_with_the_distance_from_the_centre(acceleration):
    nearest, radius = _nearest_and_radius(draw("poisson", (160, 128), acceleration, (0, 0), 0))
    rings = [nearest[(radius >= a) & (radius < a + 0.25)] for a in (0, 0.25, 0.5, 0.75, 1)]
    assert all(a.mean() < b.mean() for a, b in itertools.pairwise(rings))
    assert rings[-1].min() > rings[0].min()


def test_poisson_samples_keep_apart_and_leave_no_holes():
    """Independent draws with the same density come far closer, and leave far larger holes."""
    mask = draw("poisson", (160, 128), 8.0, (0, 0), 0)
    nearest, radius = _nearest_and_radius(mask)
    outer = nearest[radius > 0.8]
    assert outer.min() > 0.5 * outer.mean()
    holes = cKDTree(np.argwhere(mask)).query(np.argwhere(~mask))[0]
    assert holes.max() < 1.5 * outer.mean()


def test_poisson_shows_no_lattice_and_no_rings():
    masks = np.array([draw("poisson", (64, 64), 4.0, (0, 0), seed) for seed in range(200)])
    rate = masks.mean(axis=0)
    spectrum = abs(np.fft.fft2(masks - rate)).std(axis=0)
    assert spectrum.max() < 6 * np.median(spectrum)  # a lattice has sharp peaks
    # The density falls smoothly from the centre: neighbouring radii differ by little.
    radius = np.hypot(*np.ogrid[-32:32, -32:32]).astype(int)
    profile = np.bincount(radius.ravel(), rate.ravel()) / np.bincount(radius.ravel())
    assert abs(np.diff(profile[2:32])).max() < 0.12
    assert profile[2] > 3 * profile[31]


def test_bad_input_says_which_number_to_change():
    with pytest.raises(BadInput, match=r"acceleration 8 leaves 12 of 96.*centre of 24.*to 4 or"):
        draw("equispaced", (96,), 8.0, (24,), 0)
    with pytest.raises(BadInput, match="from 1 to"):
        draw("random", (96,), 0.5, (8,), 0)
    with pytest.raises(BadInput, match="from 1 to"):
        draw("random", (96,), 1000.0, (0,), 0)
    with pytest.raises(BadInput, match=r"centre of \(100,\)"):
        draw("random", (96,), 4.0, (100,), 0)
    for centre in ((-1,), (97,), (4, 4)):
        with pytest.raises(BadInput, match="between 0 and the axis's size"):
            centre_box((96,), centre)
    with pytest.raises(BadInput, match="poisson mask has 2"):
        draw("poisson", (96,), 4.0, (8,), 0)
    with pytest.raises(BadInput, match="one size per"):
        draw("poisson", (96, 96), 4.0, (8,), 0)


@pytest.mark.parametrize("kind", ["equispaced", "random"])
def test_lines_are_drawn_from_what_was_acquired(kind):
    mask = draw(kind, (120,), 4.0, (10,), 3, ((15, 105),))
    assert mask.sum() == round(90 / 4)
    assert not mask[:15].any()
    assert not mask[105:].any()
    assert mask[55:65].all()


def test_points_are_drawn_from_what_was_acquired():
    mask = draw("poisson", (40, 60), 5.0, (8, 8), 3, ((0, 40), (10, 60)))
    assert mask.sum() == round(40 * 50 / 5)
    assert not mask[:, :10].any()
    assert mask[16:24, 26:34].all()


def test_shutter_leaves_out_the_corners_and_counts_them():
    for shape, acceleration in [((64, 48), 4.0), ((33, 45), 6.3), ((40, 40), 1.3)]:
        mask = draw("poisson", shape, acceleration, (6, 6), 0, None, 1, True)
        assert np.count_nonzero(mask) == round(shape[0] * shape[1] / acceleration)
        y, x = ((np.arange(n) + 0.5) * 2 / n - 1 for n in shape)
        assert not mask[y[:, None] ** 2 + x**2 > 1].any()
        assert mask[centre_box(shape, (6, 6))].all()
        edge = mask[:, :4].any() and mask[:, -4:].any() and mask[:4].any() and mask[-4:].any()
        assert edge  # all the rest of the ellipse is used


def test_shutter_counts_as_sigpy_does():
    """The acceleration that sigpy aims at is of the rectangle, corners cropped or not."""
    mri = pytest.importorskip("sigpy.mri")
    theirs = mri.poisson((64, 64), 6, crop_corner=True, seed=0).astype(bool)
    assert not theirs[0, 0]
    assert theirs.size / theirs.sum() == pytest.approx(6, abs=0.11)
    ours = draw("poisson", (64, 64), 6.0, (0, 0), 0, None, 1, True)
    assert ours.size / ours.sum() == pytest.approx(6, abs=0.01)


def test_shutter_lies_in_what_was_acquired():
    mask = draw("poisson", (40, 60), 2.0, (0, 0), 3, ((0, 40), (10, 60)), 1, True)
    assert mask.sum() == round(40 * 50 / 2)
    assert not mask[:, :10].any()
    assert not mask[:4, 10:16].any()
    assert not mask[:4, -6:].any()
    with pytest.raises(
        BadInput, match=r"leaves 4096 of 4096 samples, more than the 32\d\d in the.*"
    ):
        draw("poisson", (64, 64), 1.0, (0, 0), 0, None, 1, True)


def test_points_lie_in_the_region_that_was_acquired():
    y, z = np.ogrid[-20:20, -15:15]
    region = (y / 20) ** 2 + (z / 15) ** 2 <= 1
    for acceleration in (1.0, 2.0, 5.0):
        mask = draw("poisson", (40, 30), acceleration, (6, 6), 0, None, 1, False, region.tobytes())
        assert not mask[~region].any()
        assert mask.sum() == round(region.sum() / acceleration)
    # A centre from a reference may be larger than what the scan holds: only that counts.
    mask = draw("poisson", (40, 30), 1.01, (38, 28), 0, None, 1, False, region.tobytes())
    assert not mask[~region].any()
    assert mask.sum() == round(region.sum() / 1.01)
    lines = draw("equispaced", (40,), 1.0, (40,), 0, ((5, 40),))
    assert lines.sum() == 35
    assert not lines[:5].any()


@given(
    kind=st.sampled_from(OVER_TIME),
    positions=st.integers(8, 80),
    frames=st.integers(2, 20),
    acceleration=st.floats(1, 8),
    centre=st.integers(0, 4),
    edges=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=200, deadline=None)
def test_every_frame_has_exactly_the_lines_asked_for(
    kind, positions, frames, acceleration, centre, edges, seed
):
    acquired = ((edges[0], positions - edges[1]),)
    lines = round((positions - sum(edges)) / acceleration)
    assume(lines >= max(centre, 1))
    mask = draw(kind, (positions,), acceleration, (centre,), seed, acquired, frames)
    assert mask.shape == (frames, positions)
    assert (np.count_nonzero(mask, axis=1) == lines).all()
    assert mask[:, centre_box((positions,), (centre,))[0]].all()
    assert not mask[:, : edges[0]].any()
    assert not mask[:, positions - edges[1] :].any()


@pytest.mark.parametrize("kind", OVER_TIME)
def test_average_over_time_covers_the_centre(kind):
    """Eightfold, 16 frames, no calibration lines: maps still find their region, always."""
    for seed in range(100):
        mask = draw(kind, (96,), 8.0, (0,), seed, None, 16)
        whole = mask.any(axis=0)
        assert whole[centre_box((96,), (48,))[0]].all()
        assert whole.mean() > 0.9
        assert kind == "kt-golden" or whole.all()


@pytest.mark.parametrize("kind", OVER_TIME)
def test_lines_over_time_are_denser_in_the_centre(kind):
    rate = np.mean([draw(kind, (96,), 6.0, (0,), seed, None, 16) for seed in range(50)], (0, 1))
    rings = [rate[a:b].mean() for a, b in [(0, 16), (16, 32), (32, 48)]]
    assert rings[0] == pytest.approx(1 / 6 * 0.57, rel=0.1)
    assert rings[2] > 2.5 * rings[0]
    assert rings[0] < rings[1] < rings[2]
    np.testing.assert_allclose(rate[1:48], rate[:48:-1], atol=0.06)


def _neighbours(kind):
    """Pairs of neighbours in k, and in t, per mask."""
    masks = [draw(kind, (96,), 8.0, (0,), seed, None, 16) for seed in range(100)]
    in_k = np.mean([np.sum(m[:, 1:] & m[:, :-1]) for m in masks])
    in_time = np.mean([np.sum(m[1:] & m[:-1]) for m in masks])
    return in_k, in_time


def test_lines_of_neighbouring_frames_interleave():
    """Drawn at random they meet by chance; the other kinds keep apart in k and in time."""
    in_k, in_time = _neighbours("kt-random")
    assert in_time > 15
    for kind in ("kt-golden", "kt-vista"):
        assert _neighbours(kind)[0] < 0.7 * in_k
        assert _neighbours(kind)[1] < 0.1 * in_time


def test_golden_steps_move_all_lines_on_by_the_golden_section():
    """In units of the lines' own spacing, which is one over the density."""
    mask = draw("kt-golden", (400,), 10.0, (0,), 0, None, 8)
    density = 1 / (1 + 3.5 * abs(np.arange(400) - 200) / 200)
    place = np.cumsum(density) * (40 / density.sum())
    phases = [np.angle(np.mean(np.exp(2j * np.pi * place[lines]))) for lines in mask]
    steps = np.diff(phases) / (2 * np.pi) % 1
    np.testing.assert_allclose(steps, (5**0.5 - 1) / 2, atol=0.03)
    spaces = np.diff([place[lines] for lines in mask], axis=1)
    np.testing.assert_allclose(spaces, 1, atol=0.3)


def test_interleaved_lines_are_jittered_by_a_tenth_of_their_period():
    """Neighbours come a golden section of their period later, give or take two such jitters."""
    frames, outer, off = 400, [*range(16), *range(47, 63)], []
    for seed in range(8):
        mask = draw("kt-vista", (64,), 16.0, (0,), seed, None, frames)
        late = (mask.argmax(axis=0) + 0.5) * mask.sum(axis=0) / frames  # first time, in periods
        off.append((np.diff(late) - (5**0.5 - 1) / 2 + 0.5)[outer] % 1 - 0.5)
    assert np.std(off) == pytest.approx(0.1 * (2 / 3) ** 0.5, rel=0.15)
    assert np.abs(off).max() < 0.2


@pytest.mark.parametrize("kind", OVER_TIME)
def test_masks_over_time_repeat_with_the_seed_and_differ_without(kind):
    first = draw(kind, (64,), 4.0, (4,), 1, None, 12)
    draw.cache_clear()
    np.testing.assert_array_equal(draw(kind, (64,), 4.0, (4,), 1, None, 12), first)
    assert not np.array_equal(first, draw(kind, (64,), 4.0, (4,), 2, None, 12))
    assert len(np.unique(first, axis=0)) > 8
