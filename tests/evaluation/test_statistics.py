import math

import numpy as np
import pytest

from gleam.evaluation.statistics import Estimate, bootstrap_mean, paired_difference


def names(count: int) -> list[str]:
    return [f"scan {i}" for i in range(count)]


def width(estimate: Estimate) -> float:
    return estimate.high - estimate.low


def test_interval_of_gaussian_samples_has_the_textbook_width_and_covers() -> None:
    random = np.random.default_rng(0)
    covered, widths = 0, []
    for _ in range(100):
        values = random.normal(30, 2, size=40)
        estimate = bootstrap_mean(list(values), names(40), resamples=500)
        assert estimate.mean == pytest.approx(values.mean())
        widths.append(width(estimate) * math.sqrt(40) / (2 * values.std()))
        assert widths[-1] == pytest.approx(1.96, rel=0.2)
        covered += estimate.low <= 30 <= estimate.high
    assert 88 <= covered <= 99
    assert np.mean(widths) == pytest.approx(1.96, rel=0.03)


def test_scans_are_drawn_not_slices() -> None:
    random = np.random.default_rng(0)
    per_scan = random.normal(size=20)
    once = bootstrap_mean(list(per_scan), names(20))
    # Thirty equal slices say no more than one: the interval must not shrink.
    repeated = bootstrap_mean(list(np.repeat(per_scan, 30)), list(np.repeat(names(20), 30)))
    assert (repeated.low, repeated.high) == pytest.approx((once.low, once.high))
    as_if_independent = bootstrap_mean(list(np.repeat(per_scan, 30)), names(600))
    assert width(as_if_independent) < 0.3 * width(repeated)


def test_mean_is_over_slices_also_where_scans_have_different_numbers() -> None:
    estimate = bootstrap_mean([1.0, 1.0, 1.0, 5.0], ["a", "a", "a", "b"])
    assert estimate.mean == 2.0
    assert (estimate.low, estimate.high, estimate.scans) == (1.0, 5.0, 2)


def test_pairing_makes_correlated_differences_sure() -> None:
    random = np.random.default_rng(0)
    difficulty = random.normal(30, 3, size=15)
    a = list(difficulty + 0.3 + random.normal(0, 0.1, size=15))
    b = list(difficulty + random.normal(0, 0.1, size=15))
    paired = paired_difference(a, b, names(15))
    assert paired.low > 0.1
    assert paired.mean == pytest.approx(np.mean(a) - np.mean(b))
    assert width(paired) < 0.1 * width(bootstrap_mean(a, names(15)))


def test_same_seed_same_interval() -> None:
    values = list(np.random.default_rng(0).normal(size=9))
    assert bootstrap_mean(values, names(9)) == bootstrap_mean(values, names(9))
    assert bootstrap_mean(values, names(9)) != bootstrap_mean(values, names(9), seed=1)


def test_undefined_values_are_left_out_and_infinite_ones_are_not() -> None:
    assert bootstrap_mean([1.0, math.nan, 3.0], names(3)).mean == 2.0
    assert bootstrap_mean([1.0, math.nan, 3.0], names(3)).scans == 2
    failed = bootstrap_mean([1.0, -math.inf, 3.0], names(3))
    assert failed.mean == -math.inf
    assert math.isnan(failed.low)
    assert math.isnan(bootstrap_mean([math.inf, -math.inf], names(2)).mean)


@pytest.mark.parametrize(
    ("values", "sure"),
    [([1.0, 1.1], True), ([-1.1, -1.0], True), ([-1.0, 1.5], False), ([1.0], False)],
)
def test_what_is_sure_leaves_out_zero(values: list[float], sure: bool) -> None:
    assert bootstrap_mean(values, names(len(values))).sure is sure
    mirrored = bootstrap_mean([-value for value in values], names(len(values)))
    assert mirrored.sure is sure


def test_one_scan_has_no_interval() -> None:
    estimate = bootstrap_mean([1.0, 2.0], ["a", "a"])
    assert estimate.mean == 1.5
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)
