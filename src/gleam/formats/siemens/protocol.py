"""The encoding of a scan that a Siemens protocol describes, as an ISMRMRD header.

Source: https://github.com/ismrmrd/siemens_to_ismrmrd, `IsmrmrdParameterMap_Siemens.xsl`. Read are,
and nothing else, the ASCCONV lines (`key = value`) of the buffer MeasYaps with

    sKSpace.ucTrajectory, ucDimension                            1 is Cartesian; 4 is 3D
    sKSpace.lBaseResolution, lPhaseEncodingLines, lPartitions    size of k-space
    sKSpace.dPhaseOversamplingForDialog, dSliceOversamplingForDialog    a fraction
    sSliceArray.asSlice[0].dReadoutFOV, dPhaseFOV, dThickness    mm, without oversampling
    sPat.ucRefScanMode                        calibration lines: 2 among the others, 4 separate
    sSliceAcceleration.lMultiBandFactor
    alTR[0], alTE[0], alTI[0]                 µs; TI unless sPrepPulses.ucInversion is 4, off
    adFlipAngleDegree[0], sProtConsistencyInfo.flNominalB0

and of the buffer Meas `flReadoutOSFactor` and `alRegridMode`, more than 1 where samples lie on the
gradients' ramps.

K-space has the protocol's lines, or as many as it takes to hold those that were acquired. The scan
is 3D if several partitions were.

Pulseq's sequences leave placeholders in the protocol, and a centre of 0 in every line
(https://github.com/pulseq/pulseq). So where no line says its centre, k-space is what was acquired,
about the line of most energy; and a readout that contradicts the protocol is taken as it is,
without oversampling.
"""

import math
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.mrd.header import SIEMENS_TICK, Header

_TRAJECTORIES: dict[float, str] = {1: "Cartesian", 2: "radial", 4: "spiral", 8: "blade"}
_CALIBRATION: dict[float, str] = {2: "embedded", 4: "separate"}
_INVERSION, _OFF = "sPrepPulses.ucInversion", 4
_CONTRAST = {
    "TR": ("alTR[0]", 1e-3),
    "TE": ("alTE[0]", 1e-3),
    "TI": ("alTI[0]", 1e-3),
    "flip_angle": ("adFlipAngleDegree[0]", 1.0),
    "field_strength": ("sProtConsistencyInfo.flNominalB0", 1.0),
}


def header(
    buffers: dict[str, str], imaging: NDArray[Any], find_centre: Callable[[int, int], int]
) -> Header:
    """The encoding of a measurement.

    Args:
        buffers: its protocol, by name.
        imaging: (line,) the heads of its imaging lines, at least one.
        find_centre: (axis, middle) → the line at the centre of k-space along phase encoding 1 or 2,
            whose middle is known; asked where no line says it.

    Raises:
        BadInput: not Cartesian, or a number is missing or wrong. The message does not name the
            file: the caller knows it.
    """
    protocol = _numbers(buffers.get("MeasYaps", ""))
    meas = buffers.get("Meas", "")
    _check_encoding(protocol, meas)

    def number(key: str, least: float = 1e-3) -> float:
        value = protocol.get(key, 0.0)
        if not least <= value < 2**16:
            raise BadInput(f"the protocol says {value:g} for {key}; export the scan again")
        return value

    counter = imaging["Counter"]
    three_d = np.ptp(counter["Par"]) > 0
    over_y = 1 + number("sKSpace.dPhaseOversamplingForDialog", 0.0)
    over_z = 1 + number("sKSpace.dSliceOversamplingForDialog", 0.0) if three_d else 1.0
    fov_x, fov_y, fov_z = (
        number(f"sSliceArray.asSlice[0].{length}")
        for length in ("dReadoutFOV", "dPhaseFOV", "dThickness")
    )
    x, over_x = round(number("sKSpace.lBaseResolution", 1.0)), 1.0
    stated = round(x * max(1.0, _parameter(meas, "flReadoutOSFactor", 2.0)))
    samples = _samples(imaging, stated)
    if samples == stated:
        over_x = stated / x
    else:
        x = samples
    y, limits = _extent(
        number("sKSpace.lPhaseEncodingLines", 1.0),
        counter["Lin"],
        imaging["CenterLin"],
        partial(find_centre, 1),
    )
    z, limits_2 = 1, None
    if three_d:
        z, limits_2 = _extent(
            number("sKSpace.lPartitions", 1.0),
            counter["Par"],
            imaging["CenterPar"],
            partial(find_centre, 2),
        )
    inverted = protocol.get(_INVERSION, _OFF) != _OFF
    return Header(
        encoded=(samples, y, z),
        encoded_fov=(fov_x * over_x, fov_y * over_y, fov_z * over_z),
        recon=(x, max(1, round(y / over_y)), max(1, round(z / over_z))),
        recon_fov=(fov_x, fov_y, fov_z),
        limits=limits,
        contrast={
            name: protocol[key] * unit
            for name, (key, unit) in _CONTRAST.items()
            if key in protocol and (name != "TI" or inverted)
        },
        limits_2=limits_2,
        calibration=_CALIBRATION.get(protocol.get("sPat.ucRefScanMode", 0), ""),
        tick=SIEMENS_TICK,
        warnings=_placeholders(protocol, stated, (samples, y)),
    )


def _check_encoding(protocol: dict[str, float], meas: str) -> None:
    """Refuse what a Cartesian reconstruction of single slices cannot use."""
    trajectory = _TRAJECTORIES.get(protocol.get("sKSpace.ucTrajectory", 1), "unknown")
    if trajectory != "Cartesian":
        raise BadInput(f"the trajectory is {trajectory}; only Cartesian scans can be used")
    if _parameter(meas, "alRegridMode", 1.0) > 1:
        raise BadInput(
            "samples lie on the gradients' ramps (EPI); only Cartesian scans can be used"
        )
    if protocol.get("sSliceAcceleration.lMultiBandFactor", 1) > 1:
        raise BadInput("slices were excited together (multi-band); only single slices can be used")


def _samples(imaging: NDArray[Any], stated: int) -> int:
    """Length of the readout in k-space: as said, unless what was acquired contradicts it.

    An asymmetric echo is shorter, and does not have its centre in the middle.
    """
    cut = imaging["CutOff"]["Pre"].astype(np.int64) + imaging["CutOff"]["Post"]
    samples = imaging["SamplesInScan"].astype(np.int64)
    middle = np.isin(imaging["CenterCol"], [0, samples[0] // 2]).all()
    longest = int((samples - cut).max())
    whole = middle and not cut.any() and longest < stated
    return longest if longest > stated or whole else stated


def _extent(
    stated: float,
    counters: NDArray[np.uint16],
    centres: NDArray[np.uint16],
    find_centre: Callable[[int], int],
) -> tuple[int, tuple[int, int]]:
    """Number of positions of a phase encoding, and its limits (maximum, centre).

    A turbo factor may add lines to those that the protocol says.
    """
    first, last, centre = int(counters.min()), int(counters.max()), int(centres.max())
    if centre == 0:  # not said, and then the protocol is not to be trusted either
        stated, centre = 1, find_centre(first + (last - first + 1) // 2)
    return max(int(stated), 2 * (centre - first), 2 * (last - centre) + 1), (last, centre)


def _placeholders(
    protocol: dict[str, float], stated: int, acquired: tuple[int, int]
) -> tuple[str, ...]:
    """A warning where k-space is not as the protocol has it."""
    lines = int(protocol["sKSpace.lPhaseEncodingLines"])
    if acquired[0] == stated and acquired[1] >= lines:
        return ()
    return (
        f"its protocol says {stated} samples and {lines} lines, but {acquired[0]} and "
        f"{acquired[1]} were acquired, which are taken; sizes in mm are as the protocol says, and "
        "no oversampling is cropped unless it is known",
    )


def _numbers(ascconv: str) -> dict[str, float]:
    """The protocol's numbers ≥ 0; many are hexadecimal."""
    found = {}
    for key, stated in re.findall(r"^([\w.\[\]]+)[ \t]*=[ \t]*(\S+)", ascconv, re.MULTILINE):
        try:
            value = float(int(stated, 16)) if stated.startswith("0x") else float(stated)
        except (ValueError, OverflowError):
            continue  # text
        if 0 <= value < math.inf:
            found[key] = value
    return found


def _parameter(xprotocol: str, name: str, default: float) -> float:
    """The first number of a parameter of the XProtocol part."""
    found = re.search(
        rf'<Param\w+\."{name}">\s*{{\s*(?:<Precision>\s*\d+\s*)?(\d{{1,6}}(?:\.\d{{1,6}})?)',
        xprotocol,
    )
    return float(found[1]) if found else default
