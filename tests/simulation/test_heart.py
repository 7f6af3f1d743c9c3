from dataclasses import replace

import numpy as np
import pytest
from test_anatomy import tissue

from gleam.simulation.anatomy import draw_outline
from gleam.simulation.heart import Chamber, draw_beat, draw_beating_heart, draw_chambers

LEFT = Chamber(
    centre=(0.05, -0.1),
    inner=0.1,
    outer=0.16,
    outline=((0.1, 0.3), (0.05, 1.0), (0.02, 2.0)),
    squeeze=0.4,
    uneven=(0.3, 0.7),
    twist=0.2,
    swirl=0.5,
)
ROUND = replace(LEFT, outline=(), uneven=(0.0, 0.0), twist=0.0, swirl=0.0)


def rng(*seed):
    return np.random.default_rng(seed)


def grid(n=256):
    axis = (np.arange(n) - n // 2) / n
    return tuple(np.broadcast_to(a, (n, n)) for a in np.ix_(axis, axis))


def radii(chamber, contraction, n=1024):
    """(inner, outer) now, from the areas whose tissue came from inside the radii at rest."""
    radius, _ = chamber.polar(chamber.at_rest(grid(n), contraction, 0.0))
    areas = [np.count_nonzero(radius < edge) / n**2 for edge in (chamber.inner, chamber.outer)]
    return np.sqrt(np.array(areas) / np.pi)


@pytest.mark.parametrize("shape", [(96, 96), (65, 80)])
def test_series_is_a_body_that_moves(shape):
    series = draw_beating_heart(shape, 8, rng(1))
    assert series.shape == (8, *shape)
    assert series.dtype == np.complex64
    assert abs(series).max() <= 1 + 1e-6
    still = [draw_beating_heart((48, 48), 1, rng(seed))[0] for seed in range(5)]
    assert min(tissue(image, at_edges=False) for image in still) > 0.7
    assert np.median([tissue(image, at_edges=True) for image in still]) < 0.2
    assert np.std(abs(series), axis=0).max() > 0.1
    np.testing.assert_allclose(  # the phase stays
        np.angle(series[3] * series[0].conj()) * (abs(series[0]) > 0.05), 0, atol=1e-3
    )


def test_series_is_a_function_of_the_seed_and_differs_between_draws():
    first = draw_beating_heart((48, 48), 6, rng(2))
    np.testing.assert_array_equal(first, draw_beating_heart((48, 48), 6, rng(2)))
    others = [abs(draw_beating_heart((48, 48), 6, rng(3, i))) for i in range(6)]
    likeness = np.corrcoef([o.ravel() for o in others])[~np.eye(6, dtype=bool)]
    assert likeness.max() < 0.9
    moving = [o.std(axis=0) for o in others]
    assert np.corrcoef([m.ravel() for m in moving])[~np.eye(6, dtype=bool)].max() < 0.6


def test_nothing_moves_at_rest():
    for found, given in zip(LEFT.at_rest(grid(), 0.0, 0.0), grid(), strict=True):
        np.testing.assert_allclose(found, given, atol=1e-6)


def test_chamber_squeezes_and_its_wall_thickens_as_it_keeps_its_area():
    rest, contracted = radii(ROUND, 0.0), radii(ROUND, 1.0)
    np.testing.assert_allclose(rest, [0.1, 0.16], rtol=5e-3)
    assert contracted[0] == pytest.approx(0.06, rel=5e-3)
    assert contracted[1] < 0.99 * rest[1]
    assert np.ptp(contracted) > 1.25 * np.ptp(rest)
    area, before = (r[1] ** 2 - r[0] ** 2 for r in (contracted, rest))
    assert area == pytest.approx(1.15 * before, rel=0.01)  # longer than it is seen


@pytest.mark.parametrize("contraction", [0.3, 1.0])
def test_displacement_is_continuous_and_never_folds(contraction):
    """Tissue neither tears nor turns over: the way back keeps every small area positive."""
    y, x = LEFT.at_rest(grid(512), contraction, 0.2)
    steps = np.stack([np.gradient(y), np.gradient(x)]) * 512
    assert np.abs(steps).max() < 6
    (yy, yx), (xy, xx) = steps
    away = np.hypot(grid(512)[0] - 0.05, grid(512)[1] + 0.1) > 0.01  # but for the very centre
    assert (yy * xx - yx * xy)[away].min() > 0.05


def test_what_is_far_stays():
    y, x = grid()
    far = np.hypot(y - LEFT.centre[0], x - LEFT.centre[1]) > 0.48
    for found, given in zip(LEFT.at_rest((y, x), 1.0, 0.3), (y, x), strict=True):
        np.testing.assert_allclose(found[far], given[far], atol=2e-3)


def test_blood_swirls_where_the_wall_stands():
    swirling = replace(ROUND, swirl=0.5)
    y, x = swirling.at_rest(grid(), 0.0, 0.25)
    moved = np.hypot(y - grid()[0], x - grid()[1])
    radius, _ = ROUND.polar(grid())
    assert moved[(radius > 0.04) & (radius < 0.06)].min() > 0.01
    assert moved[radius > 0.1].max() < 1e-6


def test_beat_is_periodic_fast_at_first_and_complete():
    for seed in range(30):
        beat = draw_beat(rng(seed))
        time = np.linspace(0, 1, 400, endpoint=False)
        contraction = beat(time)
        assert 0 <= contraction.min() < 0.01
        assert 0.99 < contraction.max() <= 1
        assert beat(0.0) == pytest.approx(beat(1.0), abs=1e-6)
        peak = contraction.argmax()
        beating = np.roll(contraction, -peak)
        assert beating[120] < 0.6  # mostly filled a third of the cycle later
        assert np.mean(contraction > 0.5) < 0.5


def test_motion_is_fast_and_comes_back():
    """Several temporal harmonics; the last frame is as near to the first as neighbours are."""
    shares, closings = [], []
    for i in range(12):
        series = abs(draw_beating_heart((96, 96), 16, rng(5, i)))
        energy = np.sum(abs(np.fft.fft(series, axis=0)) ** 2, axis=(1, 2))
        shares.append(energy[3:9].sum() / energy[1:9].sum())
        steps = [np.mean(abs(series[t] - series[t - 1])) for t in range(16)]
        closings.append(steps[0] / max(steps[1:]))
    assert np.median(shares) > 0.08
    assert np.max(shares) > 0.15
    assert max(closings) < 1.5


def test_chambers_lie_in_the_body_beside_each_other():
    for i in range(40):
        depth = draw_outline((96, 96), rng(6, i))
        left, right = draw_chambers(grid(96), depth, rng(7, i))
        y, x = (round((c + 0.5) * 96) for c in left.centre)
        assert depth[y, x] > 0.3 * depth.max()
        away = np.hypot(*np.subtract(left.centre, right.centre))
        assert away < left.outer + right.outer
        assert left.outer - left.inner > right.outer - right.inner
