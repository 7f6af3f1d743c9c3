"""Reconstructions without learning by name, which networks start from and are compared with."""

from collections.abc import Callable

from gleam.arrays import Image
from gleam.physics.baselines import cg_sense, sliding_window, zero_filled
from gleam.physics.compressed_sensing import low_rank, temporal_tv, wavelet
from gleam.physics.slabs import Measured

CLASSICAL: dict[str, Callable[[Measured], Image]] = {
    "zero-filled": zero_filled,
    "cg-sense": cg_sense,
    "wavelet": wavelet,
    "sliding-window": sliding_window,
    "temporal-tv": temporal_tv,
    "low-rank": low_rank,
}
