"""Small scans to write and read back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gleam.errors import BadInput
from gleam.formats.scan import Scan, calibration_box, centred_affine

MakeScan = Callable[..., Scan]
Refused = Callable[..., str]


@pytest.fixture
def make_scan() -> MakeScan:
    """Random k-space of `shape`, zero where `sampled` (*space, or frame first) is not."""

    def make(shape: tuple[int, ...], sampled: np.ndarray | None = None, **given: object) -> Scan:
        rng = np.random.default_rng(0)
        kspace = (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)
        if sampled is None:
            sampled = np.ones(shape[3:], bool)
        pattern = np.broadcast_to(sampled, shape[2:])
        fields: dict[str, object] = {
            "name": "scan",
            "kspace": kspace * pattern,
            "sampled": pattern,
            "readout": 0,
            "matrix": shape[3:],
            "voxel": (1.0, 1.0, 1.0),
            "affine": centred_affine(shape[3:], (1.0, 1.0, 1.0), shape[0]),
            "calibration": calibration_box(pattern),
        }
        return Scan(**(fields | given))

    return make


@pytest.fixture
def refused() -> Refused:
    """Call a function on a path; the refusal must be one line that names the file. Return it."""

    def check(function: Callable[[Path], object], path: Path) -> str:
        with pytest.raises(BadInput) as caught:
            function(path)
        message = str(caught.value)
        assert "\n" not in message
        assert path.stem in message
        return message

    return check
