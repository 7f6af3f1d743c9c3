import numpy as np
import pytest
from numpy.typing import NDArray

from gleam.formats.region import acceleration, is_complete
from gleam.physics.sampling import draw

Pattern = NDArray[np.bool_]
SIZES = [(32, 20), (33, 21), (64, 48)]


def ellipse(size: tuple[int, int], shift: float = 0.0) -> Pattern:
    """(line, partition), about the zero frequency or, half a position on, the middle."""
    y, z = ((np.arange(n) - n // 2 + shift) * 2 / n for n in size)
    return y[:, None] ** 2 + z**2 <= 1


def without(pattern: Pattern, *positions: tuple[int, int]) -> Pattern:
    left = pattern.copy()
    for position in positions:
        assert left[position]
        left[position] = False
    return left


def without_last(pattern: Pattern, count: int) -> Pattern:
    """A scan that stopped so many lines early."""
    return without(pattern, *map(tuple, np.argwhere(pattern)[-count:].tolist()))


def cut(pattern: Pattern, line: int, partition: int = 0) -> Pattern:
    """Partial Fourier."""
    left = pattern.copy()
    left[:line] = False
    left[:, :partition] = False
    return left


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("readout", [1, 12])
def test_an_ellipse_was_sampled_in_full(size: tuple[int, int], readout: int) -> None:
    whole = ellipse(size)
    for pattern in (whole, cut(whole, size[0] // 4), cut(whole, size[0] // 4, size[1] // 4)):
        scan = np.repeat(pattern[None, None], readout, axis=1)
        assert is_complete(scan)
        assert is_complete(scan.swapaxes(2, 3))
        scan[:, : readout // 3] = False  # an asymmetric echo
        assert is_complete(scan)
        assert acceleration(scan) == 1
        assert is_complete(np.repeat(scan, 3, axis=0))


def test_an_ellipse_about_the_middle_of_k_space_was_too() -> None:
    assert is_complete(ellipse((32, 20), 0.5)[None])


def test_few_positions_may_be_missing_along_the_border() -> None:
    whole = ellipse((64, 48))
    ends = [(row, int(np.flatnonzero(whole[row])[0])) for row in (12, 21, 40)]
    jagged = without(whole, *ends)
    assert is_complete(jagged[None])
    assert not is_complete(without(whole, (30, 20))[None])  # a gap is none of the border
    small = ellipse((10, 8))
    first = int(np.flatnonzero(small[3])[0])
    assert not is_complete(without(small, (3, first))[None])  # little is inside of that


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("missing", [1, 2, 5])
def test_a_scan_that_stopped_early_is_not_complete(size: tuple[int, int], missing: int) -> None:
    full = np.ones(size, np.bool_)
    for whole in (full, cut(full, size[0] // 4), cut(full, size[0] // 4, size[1] // 4)):
        assert is_complete(whole[None])
        assert not is_complete(without_last(whole, missing)[None])
    # Nor is one inside an ellipse, unless the last line is missing as a whole.
    whole = cut(ellipse(size, 0.0 if size[0] % 2 else 0.5), 1)
    last = int(whole.any(1).nonzero()[0][-1])
    if missing < whole[last].sum():
        assert not is_complete(without_last(whole, missing)[None])


@pytest.mark.parametrize("times", [1.4, 2.0, 4.0])
@pytest.mark.parametrize("shutter", [False, True])
def test_undersampling_of_two_axes_is_not_complete(times: float, shutter: bool) -> None:
    for seed in range(3):
        mask = draw("poisson", (64, 48), times, (6, 6), seed, None, 1, shutter)
        assert not is_complete(mask[None])
        inside = mask & ellipse((64, 48))
        assert not is_complete(inside[None])
        assert acceleration(inside[None]) > 1.2


def test_undersampling_inside_an_ellipse_is_not_complete() -> None:
    whole = ellipse((64, 48))
    rng = np.random.default_rng(0)
    lines = np.arange(48) % 2 == 0
    lines[18:30] = True
    rows = np.arange(64)[:, None] % 3 != 0
    for kept in (lines, rows, rng.random((64, 48)) < 0.97):
        assert not is_complete((whole & kept)[None])
    y, z = np.indices((64, 48))
    frames = [whole & ((y + z + frame) % 2 == 0) for frame in (0, 1)]
    assert not is_complete(np.stack(frames))  # each position is in some frame
    assert not is_complete(np.stack([whole, cut(whole, 3)]))


def test_one_axis_has_no_corners() -> None:
    lines = np.ones(40, np.bool_)
    lines[:7] = False
    assert is_complete(lines[None, None])
    lines[38] = False
    assert not is_complete(lines[None, None])
