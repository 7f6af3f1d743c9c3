"""The time from one frame of an ISMRMRD scan to the next.

Frames follow each other in time where they differ in `phase` alone, or in `repetition` alone. Then:

- The lines' time stamps tell it, where their unit is known. A frame's time is the mean of its
  lines'; so a cine that took several heartbeats is right, as every beat has a part in each frame.
  Frames that do not follow evenly have no such time.
- Without stamps, it is TR, of cardiac phases and where the header has an echo spacing: Siemens'
  TR spans all echoes of a phase. OCMR's `read_ocmr.py` calls it the temporal resolution, too.

Sources: https://github.com/MRIOSU/OCMR; https://github.com/ismrmrd/siemens_to_ismrmrd, `main.cpp`,
which copies Siemens' stamps, in ticks of 2.5 ms.
"""

import numpy as np
from numpy.typing import NDArray

from gleam.formats.mrd.head import FRAME, Records
from gleam.formats.mrd.header import Header

_UNEVEN = 0.2  # of the time between two frames; stamps are coarse


def frame_time(header: Header, heads: Records, frames: NDArray[np.int64]) -> float | None:
    """Time of a frame in ms; None where the scan has one frame, does not say, or frames are no
    course of time.

    Args:
        header: the encoding.
        heads: (line,) of the imaging lines.
        frames: (line,) the frame of each, counted from 0.
    """
    counters = heads["idx"]
    varies = {counter for counter in FRAME if np.ptp(counters[counter])}
    if varies not in ({"phase"}, {"repetition"}):
        return None
    if header.tick is not None and heads["acquisition_time_stamp"].any():
        stamps = np.bincount(frames, heads["acquisition_time_stamp"]) / np.bincount(frames)
        step = (stamps[-1] - stamps[0]) / (len(stamps) - 1)
        even = np.abs(np.diff(stamps) - step).max() <= _UNEVEN * step
        return float(step * header.tick) if step > 0 and even else None
    tr = header.contrast.get("TR")
    if varies == {"phase"} and isinstance(tr, float) and 0 < header.echo_spacing < tr:
        return tr
    return None
