"""CMRxRecon challenge files (MATLAB 7.3): multi-coil k-space of cardiac cine and mapping.

Source: `ChallengeDataFormat` of https://github.com/CmrxRecon/CMRxRecon (2023) and of
https://github.com/CmrxRecon/CMRxRecon2024; Wang et al., Scientific Data 11, 687 (2024),
doi 10.1038/s41597-024-03525-4.

    kspace_full                                  fully sampled
    kspace_sub04, kspace_sub08, kspace_sub10     2023: undersampled along ny, 24 lines kept
    kus                                          2024: undersampled along ny, 16 lines kept; or
                                                 along nx too (16 × 16), and by frame

- Complex (nx, ny, nc, nz, nt) as MATLAB shows it: readout, phase encoding, coil, slice (of a
  long-axis cine: view), and cardiac phase (cine) or weighting (mapping), which are our frames. A
  file without the last has one frame.
- What is zero in every coil was not sampled; the separate files of masks are not needed.
- The files hold neither geometry, nor contrast, nor the time between frames: voxels are 1 mm, the
  affine is centred. What is known of these is in separate tables, which are not read.
"""

import re
from pathlib import Path

from gleam.errors import BadInput
from gleam.formats.layout import Layout

_AXES = "y:readout x coil slice frame"
_MULTI_COIL = re.compile(r"kspace_full|kspace_sub\d\d|kus")
_SINGLE_COIL = re.compile(r"kspace_single_(full|sub\d\d)")


def layout(path: Path, name: str, shape: tuple[int, ...]) -> Layout | None:
    """The meaning of an array's axes if it is one of the challenge's; else None.

    Args:
        path: for messages.
        name: of the array.
        shape: in MATLAB's order.

    Raises:
        BadInput: it is single-coil.
    """
    if _SINGLE_COIL.fullmatch(name):
        raise BadInput(f"{path}: {name!r} is single-coil; use the multi-coil file")
    if _MULTI_COIL.fullmatch(name) and len(shape) in (3, 4, 5):
        return Layout.parse(_AXES)
    return None
