"""Reconstructions without learning by name, which networks start from and are compared with."""

from collections.abc import Callable

from gleam.arrays import Image
from gleam.physics.baselines import cg_sense, sliding_window, zero_filled
from gleam.physics.compressed_sensing import low_rank, temporal_tv, wavelet
from gleam.physics.measurement import Measured

CLASSICAL: dict[str, Callable[[Measured], Image]] = {
    "zero-filled": zero_filled,
    "cg-sense": cg_sense,
    "wavelet": wavelet,
    "sliding-window": sliding_window,
    "temporal-tv": temporal_tv,
    "low-rank": low_rank,
}


def compressed_sensing_of(frames: int) -> str:
    """The name of compressed sensing for scans of so many frames."""
    return "temporal-tv" if frames > 1 else "wavelet"


TITLES = {  # the same names, as tables and pictures print them
    "zero-filled": "zero-filled",
    "cg-sense": "CG-SENSE",
    "wavelet": "wavelets",
    "sliding-window": "sliding window",
    "temporal-tv": "temporal TV",
    "low-rank": "low rank",
}
