"""The fixed head of an ISMRMRD acquisition: its fields, and the flags that are heeded.

Source: the MRD specification, https://ismrmrd.readthedocs.io, `mrd_raw_data.md`; the phase
stabilisation flags are in `ismrmrd.h` alone.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Records = NDArray[Any]  # structured; the fields are said where one is made

_COUNTERS = [
    *((name, "<u2") for name in ("kspace_encode_step_1", "kspace_encode_step_2", "average")),
    *((name, "<u2") for name in ("slice", "contrast", "phase", "repetition", "set", "segment")),
    ("user", "<u2", 8),
]
# 340 bytes, packed: as in a stream, and as h5py gives the `head` of a file.
ACQUISITION_HEADER = np.dtype(
    [
        ("version", "<u2"),
        ("flags", "<u8"),
        ("measurement_uid", "<u4"),
        ("scan_counter", "<u4"),
        ("acquisition_time_stamp", "<u4"),
        ("physiology_time_stamp", "<u4", 3),
        ("number_of_samples", "<u2"),
        ("available_channels", "<u2"),
        ("active_channels", "<u2"),
        ("channel_mask", "<u8", 16),
        ("discard_pre", "<u2"),
        ("discard_post", "<u2"),
        ("center_sample", "<u2"),
        ("encoding_space_ref", "<u2"),
        ("trajectory_dimensions", "<u2"),
        ("sample_time_us", "<f4"),
        ("position", "<f4", 3),
        ("read_dir", "<f4", 3),
        ("phase_dir", "<f4", 3),
        ("slice_dir", "<f4", 3),
        ("patient_table_position", "<f4", 3),
        ("idx", _COUNTERS),
        ("user_int", "<i4", 8),
        ("user_float", "<f4", 8),
    ]
)
FRAME = ("contrast", "set", "repetition", "phase")  # counters that tell frames apart, slowest first


def _flags(*numbers: int) -> np.uint64:
    return np.uint64(sum(1 << (number - 1) for number in numbers))  # counted from 1


NOISE, CALIBRATION, CALIBRATION_AND_IMAGING, REVERSED = map(_flags, (19, 20, 21, 22))
# Navigation, phase correction, feedback (two kinds), dummies, surface coil correction, and phase
# stabilisation with its reference.
NO_IMAGING = _flags(23, 24, 26, 28, 27, 29, 31, 30)


def flagged(heads: Records, flags: np.uint64) -> NDArray[np.bool_]:
    """(acquisition,): those with any of the flags."""
    has: NDArray[np.bool_] = (heads["flags"] & flags) != 0
    return has
