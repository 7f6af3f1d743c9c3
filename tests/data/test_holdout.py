"""Which samples are held out."""

from itertools import pairwise

import pytest
import torch

from gleam.data.holdout import PATTERNS, SEGMENT, centre, held_out

SPACE = (64, 96)


def lines(every: int = 3) -> torch.Tensor:
    sampled = torch.zeros(1, 1, SPACE[1], dtype=torch.bool)
    sampled[..., ::every] = True
    return sampled | within()


def within() -> torch.Tensor:
    return centre(SPACE, (-1,), (0, 12))


def draw(pattern, share=0.3, seed=(1,), sampled=None, space=SPACE, axes=(-1,)):
    sampled = lines() if sampled is None else sampled
    return held_out(sampled, within(), axes, space, share, pattern, seed)


def test_the_centre_is_that_of_the_calibration_region():
    inside = torch.fft.fftshift(within()[0, 0])
    assert inside.nonzero().flatten().tolist() == list(range(42, 54))
    both = centre((8, 9), (-2, -1), (4, 3))
    assert both.shape == (1, 8, 9)
    assert both.sum() == 12


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_is_held_out_was_acquired_and_is_not_of_the_centre(pattern):
    drawn = draw(pattern)
    full = drawn.expand(1, *SPACE)
    assert not (full & ~lines()).any()
    assert not (full & within()).any()
    outside = (lines() & ~within()).expand(1, *SPACE)
    assert 0.1 < full.sum() / outside.sum() < 0.5


@pytest.mark.parametrize("pattern", PATTERNS)
def test_it_depends_on_its_seed_alone(pattern):
    torch.testing.assert_close(draw(pattern), draw(pattern))
    assert (draw(pattern) != draw(pattern, seed=(2,))).any()


def test_lines_are_held_out_whole_and_segments_in_runs():
    assert draw("lines").shape == (1, 1, SPACE[1])
    column = draw("segments", share=0.5)[0].T  # each line along the decoded axis
    inner = [run for line in column for run in runs(line.tolist())[1:-1]]
    assert inner
    assert all(run % SEGMENT == 0 for run in inner)
    assert draw("lines", share=0.01).sum() == 1
    assert draw("samples").shape == (1, *SPACE)


def runs(line: list[bool]) -> list[int]:
    """Lengths of what is equal and follows each other."""
    lengths = [1]
    for one, other in pairwise(line):
        if one == other:
            lengths[-1] += 1
        else:
            lengths.append(1)
    return lengths


def test_frames_are_drawn_each_by_itself():
    sampled = lines().expand(5, -1, -1)
    drawn = draw("lines", sampled=sampled)
    assert drawn.shape == (5, 1, SPACE[1])
    assert (drawn != drawn[:1]).any()


def test_none_and_all_can_be_held_out():
    assert not draw("samples", share=0.0).any()
    everything = draw("samples", share=1.0).expand(1, *SPACE)
    assert (everything == (lines() & ~within()).expand(1, *SPACE)).all()
