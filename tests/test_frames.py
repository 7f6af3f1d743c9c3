"""A network of slices on the frames of a series, as the benchmark has it."""

import numpy as np
import torch
from kinds import series
from tiny import prepared, tiny_scan

from benchmarks.frames import Frame, together
from gleam.data.collate import Item, collate
from gleam.data.masks import sampling
from gleam.physics.baselines import zero_filled
from gleam.recipe import MaskRecipe


def test_frames_are_those_of_the_series() -> None:
    whole = prepared(series(tiny_scan(slices=1), 4), calibration=0)
    mask = MaskRecipe(kind="kt-random", acceleration=2)
    sampled = sampling(whole, 3, mask)
    frames = [Frame(whole, sampled, frame) for frame in range(4)]
    expected = collate([Item(whole, 0, 3)], mask).measurement.adjoint
    np.testing.assert_allclose(together(zero_filled, frames), expected, atol=1e-5)
    assert not torch.equal(frames[0].sampled, frames[1].sampled)
