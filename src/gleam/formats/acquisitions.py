"""From ISMRMRD acquisitions, one line of k-space each, to a `Scan`; for files and streams alike.

Source: the MRD specification, https://ismrmrd.readthedocs.io, `mrd_raw_data.md`, `mrd_header.md`.

- `space` is (readout, phase 1) or, where several partitions were acquired, (readout, phase 1,
  phase 2), as everywhere in this house: a network sees aliasing along the same axis whatever the
  format.
- Line `center` of the encoding limits goes to ⌊N/2⌋ of the encoded matrix, along both phase
  encodings, and sample `center_sample` to ⌊N/2⌋ of the readout, so partial Fourier and asymmetric
  echoes fall into place. Where centres are 0, which says nothing, it is the middle of the readout,
  and along the phase encodings what `gleam.formats.acquisition_extent` finds. A readout as long as
  the encoded matrix fills it, whatever its centre says. `discard_pre` and `discard_post` are left
  out.
- A reversed line is turned round. Its centre counts in the order of acquisition; n/2, the middle,
  stays the middle.
- Each `slice` is a slice. Each combination of `contrast`, `set`, `repetition` and `phase` that was
  acquired is a frame, in this order, the phase fastest. `average`s are averaged. `segment` and the
  user's counters tell nothing apart: what else falls on one place of k-space is refused.
- What was being acquired when a series stopped early is left out: see
  `gleam.formats.acquisition_series`.
- Lines of noise become `noise`, scaled to the imaging lines' bandwidth. Navigators, phase
  correction, feedback, dummies and the like are left out, and so are lines beyond the encoding
  limits, where mridata.org's 2D FSE scans have their phase correction.
- Lines for calibration alone go into k-space as sampled where imaging has none, unless the header
  calls the calibration separate or external: those have another contrast, and become a scan of
  their own, the `reference`. One that contradicts the header is left out.
- What is zero in the middle slice all along a line, or a column, was filled in by the vendor and is
  not sampled.
- `gleam.formats.acquisition_time` says what the time between frames is.
- `matrix` is the field of view asked for (recon space) in voxels as they were encoded.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.acquisition_extent import Load, as_acquired
from gleam.formats.acquisition_geometry import placed
from gleam.formats.acquisition_head import (
    ACQUISITION_HEADER,
    CALIBRATION,
    CALIBRATION_AND_IMAGING,
    NO_IMAGING,
    NOISE,
    Records,
    flagged,
)
from gleam.formats.acquisition_lines import lay_out
from gleam.formats.acquisition_series import unfinished
from gleam.formats.acquisition_time import frame_time
from gleam.formats.ismrmrd_header import Header
from gleam.formats.scan import LARGEST, Array, Scan, calibration_box, usable
from gleam.formats.stored import non_zero

__all__ = ["ACQUISITION_HEADER", "Assembled", "Load", "assemble"]

_PATTERN = ["frame", "step_1", "step_2", "start", "stop"]  # a line's place within its slice


@dataclass(frozen=True)
class Assembled:
    """K-space (slice, coil, frame, *space), put together from its lines slice by slice.

    Attributes:
        name: of the scan, for messages.
        shape: (slice, coil, frame, *space).
        lines: the table of `lay_out`.
        load: see `assemble`.
        sampled: (frame, *space) bool; what is kept. None keeps all.
    """

    name: str
    shape: tuple[int, ...]
    lines: Records
    load: Load
    sampled: NDArray[np.bool_] | None = None

    def __getitem__(self, index: int, /) -> Array:
        """(coil, frame, *space) complex64 of one slice.

        Raises:
            BadInput: values that are not finite or too large, or what `load` raises.
        """
        if not 0 <= index < self.shape[0]:
            raise IndexError(f"slice {index} of {self.shape[0]}")
        kspace = np.zeros(self.shape[1:], np.complex64)
        lines = self.lines[self.lines["slice"] == index]
        with np.errstate(over="ignore", invalid="ignore"):  # seen below
            for line, data in zip(lines, self.load(lines["index"]), strict=True):
                kept = data[:, line["first"] : line["last"]] * line["weight"]
                kept = kept[:, ::-1] if line["reversed"] else kept
                kspace[:, *_place(line, kspace.ndim - 3)] += kept
        if not usable(kspace):
            raise BadInput(
                f"{self.name}: slice {index} holds k-space values that are not finite numbers, or "
                f"beyond {LARGEST:g}; export it again"
            )
        if self.sampled is not None:
            kspace[:, ~self.sampled] = 0
        return kspace


def assemble(name: str, header: Header, heads: Records, load: Load) -> Scan:
    """The scan that some acquisitions make; their data are fetched slice by slice.

    Args:
        name: of the scan; messages start with it.
        header: the encoding, `ismrmrd_header.parse` of the XML.
        heads: (acquisition,) of dtype `ACQUISITION_HEADER`, in any order.
        load: (wanted,) increasing indices into `heads` → the complex64 (coil, samples) data of
            each, in that order. For acquisitions held in a list:
            `lambda wanted: [data[i] for i in wanted]`. Called when a slice is asked for, and here
            for the noise and the middle slice.

    Raises:
        BadInput: nothing to image, or acquisitions that contradict the header or each other.
    """
    noise, imaging, calibration, apart = _sort(name, header, heads)
    left_out, stopped = unfinished(heads, imaging)
    imaging = imaging & ~left_out
    said, header = header, as_acquired(header, heads, imaging | calibration, load)
    lines = lay_out(name, header, heads, imaging, calibration)
    coils = np.unique(heads["active_channels"][lines["index"]])
    if len(coils) > 1:
        raise BadInput(
            f"{name}: its lines have {' or '.join(map(str, coils))} channels; give each a file"
        )

    three_d = header.encoded[2] > 1
    space, fov = header.encoded[: 2 + three_d], header.encoded_fov[: 2 + three_d]
    counts = (int(lines["slice"].max()) + 1, int(coils[0]), int(lines["frame"].max()) + 1)
    if three_d and counts[0] > 1:
        raise BadInput(f"{name}: has {counts[0]} slabs of a 3D scan; give each a file")
    kspace = Assembled(name, (*counts, *space), lines, load)
    sampled = _sampled(kspace)
    voxel = tuple(f / n for f, n in zip(fov, space, strict=True))
    matrix = tuple(
        min(n, max(1, round(f / v)))
        for n, f, v in zip(space, header.recon_fov, voxel, strict=False)
    )
    if not three_d:
        voxel = (*voxel, header.recon_fov[2] / header.recon[2])
    firsts = heads[lines["index"][np.unique(lines["slice"], return_index=True)[1]]]
    voxel, affine = placed(name, firsts, matrix, voxel)
    of_image = lines[imaging[lines["index"]]]
    step = frame_time(header, heads[of_image["index"]], of_image["frame"])
    white, warnings = _noise(header, heads, noise, heads[lines["index"][0]], load)
    return Scan(
        name=name,
        kspace=replace(kspace, sampled=sampled),
        sampled=sampled,
        readout=0,
        matrix=matrix,
        voxel=voxel,
        thickness=None if three_d else header.recon_fov[2] / header.recon[2],
        affine=affine,
        calibration=calibration_box(sampled),
        noise=white,
        contrast=header.contrast | ({} if step is None else {"frame_time": step}),
        reference=_reference(name, said, heads, apart, load),
        warnings=(*header.warnings, *stopped, *warnings),
    )


def _sort(name: str, header: Header, heads: Records) -> tuple[NDArray[np.bool_], ...]:
    """Which acquisitions are noise, imaging, calibration that joins it, and such that does not."""
    noise = flagged(heads, NOISE)
    lines = ~flagged(heads, NOISE | NO_IMAGING)
    for limits, counter in (
        (header.limits, "kspace_encode_step_1"),
        (header.limits_2, "kspace_encode_step_2"),
    ):
        if limits and limits[0] > 0:
            lines &= heads["idx"][counter] <= limits[0]
    alone = lines & flagged(heads, CALIBRATION) & ~flagged(heads, CALIBRATION_AND_IMAGING)
    imaging = lines & ~alone
    if not imaging.any():  # a scan made for calibration
        imaging, alone = alone, imaging
    if not imaging.any():
        raise BadInput(f"{name}: none of its {len(heads)} acquisitions is an imaging line")
    if heads["encoding_space_ref"][imaging].any():
        raise BadInput(f"{name}: its lines have several encodings; give each a file")
    alone &= heads["encoding_space_ref"] == 0
    separate = header.calibration in ("separate", "external")
    return noise, imaging, alone & (not separate), alone & separate


def _reference(
    name: str, header: Header, heads: Records, apart: NDArray[np.bool_], load: Load
) -> Scan | None:
    """The scan of the calibration lines that do not join the imaging lines."""
    if not apart.any():
        return None
    of_these = partial(_load_some, load=load, some=np.flatnonzero(apart))
    try:
        return assemble(f"{name}'s calibration", header, heads[apart], of_these)
    except BadInput:  # it is needed only where the scan has no centre of its own
        return None


def _load_some(wanted: NDArray[np.intp], load: Load, some: NDArray[np.intp]) -> Iterable[Array]:
    return load(some[wanted])


def _sampled(kspace: Assembled) -> NDArray[np.bool_]:
    """(frame, *space): where lines lie, less the lines and columns that are zero."""
    lines = np.unique(kspace.lines[["slice", *_PATTERN]])
    each = np.split(lines[_PATTERN], np.flatnonzero(np.diff(lines["slice"])) + 1)
    if any(len(one) != len(each[0]) or (one != each[0]).any() for one in each):
        raise BadInput(
            f"{kspace.name}: its slices were not sampled at the same positions; give each slice "
            "a file"
        )
    sampled = np.zeros(kspace.shape[2:], np.bool_)
    for line in each[0]:
        sampled[_place(line, sampled.ndim - 2)] = True
    filled = non_zero(Path(kspace.name), kspace[kspace.shape[0] // 2][None])
    others = (0, *range(2, filled.ndim))
    sampled &= filled.any(axis=1, keepdims=True)
    sampled &= filled.any(axis=others, keepdims=True)
    return sampled


def _place(line: np.void, phases: int) -> tuple[int | slice, ...]:
    """Of a line in (frame, *space), which has so many phase encodings."""
    frame, step_1, step_2, start, stop = (int(line[field]) for field in _PATTERN)
    return (frame, slice(start, stop), *(step_1, step_2)[:phases])


def _noise(
    header: Header, heads: Records, noise: NDArray[np.bool_], imaging: np.void, load: Load
) -> tuple[Array | None, tuple[str, ...]]:
    """(coil, samples): the noise as the imaging lines' bandwidth lets it in; and warnings."""
    if not noise.any():
        return None, ()
    channels, coils = heads["active_channels"], imaging["active_channels"]
    fits = noise & (channels == coils)
    if not fits.any():
        said = " or ".join(map(str, np.unique(channels[noise])))
        return None, (
            f"its noise scan has {said} channels, but its lines have {coils}; it was left out, "
            "and coils are not whitened",
        )
    # Variance goes with the bandwidth of the sampling, of which the receiver passes a part.
    dwell = heads["sample_time_us"][fits].astype(np.float64), float(imaging["sample_time_us"])
    with np.errstate(all="ignore"):
        ratio = dwell[0] / dwell[1] / header.noise_bandwidth
        gain = np.sqrt(np.where((dwell[0] > 0) & (dwell[1] > 0), ratio, 1.0)).astype(np.float32)
        each = zip(load(np.flatnonzero(fits)), gain, strict=True)
        samples = np.concatenate([data * by for data, by in each], axis=1)
    if not usable(samples):
        return None, (
            f"its noise scan holds values that are not finite numbers, or beyond {LARGEST:g}; it "
            "was left out, and coils are not whitened",
        )
    return samples, ()
