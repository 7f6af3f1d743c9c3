"""Scans made from ISMRMRD acquisitions, one line of k-space each; for files and streams alike.

Source: the MRD specification, https://ismrmrd.readthedocs.io, `mrd_raw_data.md`, `mrd_header.md`.

- `space` is (readout, phase 1) or, where several partitions were acquired, (readout, phase 1,
  phase 2), as everywhere in this house: a network sees aliasing along the same axis whatever the
  format.
- Line `center` of the encoding limits goes to ⌊N/2⌋ of the encoded matrix, along both phase
  encodings, and sample `center_sample` to ⌊N/2⌋ of the readout, so partial Fourier and asymmetric
  echoes fall into place. Where centres are 0, which says nothing, it is the middle of the readout,
  and along the phase encodings what `gleam.formats.mrd.extent` finds. A readout as long as
  the encoded matrix fills it, whatever its centre says. `discard_pre` and `discard_post` are left
  out.
- A reversed line is turned round. Its centre counts in the order of acquisition; n/2, the middle,
  stays the middle.
- Each `slice` is a slice. Each combination of `contrast`, `set`, `repetition` and `phase` that was
  acquired is a frame, in this order, the phase fastest. `average`s are averaged. `segment` and the
  user's counters tell nothing apart: what else falls on one place of k-space is refused.
- What was being acquired when a series stopped early is left out: see
  `gleam.formats.mrd.series`.
- Lines of noise become `noise`, scaled to the imaging lines' bandwidth. Navigators, phase
  correction, feedback, dummies and the like are left out, and so are lines beyond the encoding
  limits, where mridata.org's 2D FSE scans have their phase correction.
- Lines for calibration alone go into k-space as sampled where imaging has none, unless the header
  calls the calibration separate or external, or they have an encoding of their own: those have
  another contrast, and become a scan of their own, the `reference`. One that contradicts the header
  is left out.
- What is zero in every slice all along a line, or a column, was filled in by the vendor and is not
  sampled.
- What is not one even stack of slices, or one slab, falls into parts, each a scan: see
  `gleam.formats.mrd.parts`.
- `gleam.formats.mrd.time` says what the time between frames is.
- `matrix` is the field of view asked for (recon space) in voxels as they were encoded.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.lazy import each_coil
from gleam.formats.mrd.extent import Load, as_acquired
from gleam.formats.mrd.geometry import placed
from gleam.formats.mrd.head import (
    CALIBRATION,
    CALIBRATION_AND_IMAGING,
    NO_IMAGING,
    NOISE,
    Records,
    flagged,
)
from gleam.formats.mrd.header import Header
from gleam.formats.mrd.kspace import Assembled, where
from gleam.formats.mrd.lines import lay_out
from gleam.formats.mrd.parts import kinds, stacks
from gleam.formats.mrd.series import unfinished
from gleam.formats.mrd.time import frame_time
from gleam.formats.parts import named, only
from gleam.formats.scan import LARGEST, NOT_WHITENED, Array, Scan, calibration_box, outwards, usable
from gleam.formats.zeros import less_filling


def assemble(
    name: str, header: Callable[[int], Header], heads: Records, load: Load
) -> dict[str, Callable[[], Scan]]:
    """The scans that some acquisitions make, see `Scans`; data are fetched slice by slice.

    Args:
        name: of the whole; messages start with it.
        header: of an encoding, by its number: `ismrmrd_header.parse` of the XML.
        heads: (acquisition,) of dtype `ACQUISITION_HEADER`, in any order.
        load: (wanted,) increasing indices into `heads` → the complex64 (coil, samples) data of
            each, in that order. For acquisitions held in a list:
            `lambda wanted: [data[i] for i in wanted]`. Called when a slice is asked for, and where
            a scan is read for the noise and its zeros.

    Raises:
        BadInput: nothing to image; and where there is but one scan or one is read, acquisitions
            that contradict the header or each other.
    """
    found = list(kinds(heads, _imaging(name, heads)))
    scans: dict[str, Callable[[], Scan]] = {}
    for kind, encoding, channels in found:
        try:
            laid = _laid_out(named(name, kind), header, heads, load, encoding, channels)
        except BadInput as error:
            if len(found) == 1:
                raise
            scans[kind] = partial(_refuse, str(error))  # one part; the others may do
            continue
        for stack, lines in stacks(heads, laid.lines, laid.three_d).items():
            word = "-".join(filter(None, (kind, stack)))
            scans[word] = partial(_scan, replace(laid, name=named(name, word), lines=lines), word)
    return scans


def _refuse(why: str) -> Scan:
    raise BadInput(why)


@dataclass(frozen=True)
class _Laid:
    """Lines of one encoding and as many channels, with their places in k-space.

    Attributes:
        name, heads, load: see `assemble`.
        stated: the header of an encoding, by its number.
        header: that of this one, with what was acquired of it.
        lines: the table of `lay_out`.
        imaging, noise, apart: (acquisition,) bool; the lines that make the scan, those of noise,
            and calibration of another contrast.
        stopped: a warning, if the scan was.
    """

    name: str
    stated: Callable[[int], Header]
    header: Header
    heads: Records
    load: Load
    lines: Records
    imaging: NDArray[np.bool_]
    noise: NDArray[np.bool_]
    apart: NDArray[np.bool_]
    stopped: tuple[str, ...]

    @property
    def three_d(self) -> bool:
        return self.header.encoded[2] > 1


def _laid_out(
    name: str,
    stated: Callable[[int], Header],
    heads: Records,
    load: Load,
    encoding: int,
    channels: int,
) -> _Laid:
    noise = flagged(heads, NOISE)
    of_coils = heads["active_channels"] == channels
    own = heads["encoding_space_ref"] == encoding
    imaging, calibration, apart = _sort(name, stated(encoding), heads, own & of_coils & ~noise)
    if not apart.any():
        apart = of_coils & ~own & _calibration_alone(heads)
    left_out, stopped = unfinished(heads, imaging)
    imaging = imaging & ~left_out
    header = as_acquired(stated(encoding), heads, imaging | calibration, load)
    lines = lay_out(name, header, heads, imaging, calibration)
    return _Laid(name, stated, header, heads, load, lines, imaging, noise, apart, stopped)


def _scan(laid: _Laid, part: str) -> Scan:
    """The scan of one part, of which `laid` holds the lines."""
    name, header, heads, lines = laid.name, laid.header, laid.heads, laid.lines
    space = header.encoded[: 2 + laid.three_d]
    fov = header.encoded_fov[: 2 + laid.three_d]
    coils = int(heads["active_channels"][lines["index"][0]])
    counts = (int(lines["slice"].max()) + 1, coils, int(lines["frame"].max()) + 1)
    kspace = Assembled(name, (*counts, *space), lines, laid.load)
    sampled, differ = _sampled(kspace)
    voxel = tuple(f / n for f, n in zip(fov, space, strict=True))
    matrix = tuple(
        min(n, max(1, round(f / v)))
        for n, f, v in zip(space, header.recon_fov, voxel, strict=False)
    )
    if not laid.three_d:
        voxel = (*voxel, header.recon_fov[2] / header.recon[2])
    firsts = heads[lines["index"][np.unique(lines["slice"], return_index=True)[1]]]
    voxel, affine = placed(name, firsts, matrix, voxel)
    of_image = lines[laid.imaging[lines["index"]]]
    step = frame_time(header, heads[of_image["index"]], of_image["frame"])
    white, warnings = _noise(header, heads, laid.noise, heads[lines["index"][0]], laid.load)
    return Scan(
        name=name,
        kspace=replace(kspace, sampled=sampled),
        sampled=sampled,
        readout=0,
        matrix=matrix,
        voxel=voxel,
        thickness=None if laid.three_d else header.recon_fov[2] / header.recon[2],
        affine=affine,
        calibration=calibration_box(sampled),
        noise=white,
        contrast=header.contrast | ({} if step is None else {"frame_time": step}),
        reference=_reference(laid),
        warnings=(*header.warnings, *laid.stopped, *differ, *warnings),
        part=part,
    )


def _imaging(name: str, heads: Records) -> NDArray[np.bool_]:
    """(acquisition,): lines that make scans; of a scan made for calibration, those."""
    lines = ~flagged(heads, NOISE | NO_IMAGING)
    alone = lines & flagged(heads, CALIBRATION) & ~flagged(heads, CALIBRATION_AND_IMAGING)
    imaging = lines & ~alone
    imaging = imaging if imaging.any() else alone
    if not imaging.any():
        raise BadInput(f"{name}: none of its {len(heads)} acquisitions is an imaging line")
    return imaging


def _sort(
    name: str, header: Header, heads: Records, of_kind: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], ...]:
    """Sort acquisitions into imaging, calibration that joins it, and such that does not."""
    lines = of_kind & ~flagged(heads, NO_IMAGING)
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
    separate = header.calibration in ("separate", "external")
    return imaging, alone & (not separate), alone & separate


def _calibration_alone(heads: Records) -> NDArray[np.bool_]:
    """(acquisition,): the lines of the first encoding that has lines for calibration alone, if one
    has: they are of another matrix than the images'."""
    lines = ~flagged(heads, NOISE | NO_IMAGING)
    alone = lines & flagged(heads, CALIBRATION) & ~flagged(heads, CALIBRATION_AND_IMAGING)
    encoding = heads["encoding_space_ref"]
    apart = np.setdiff1d(encoding[alone], encoding[lines & ~alone])[:1]
    return alone & np.isin(encoding, apart)


def _reference(laid: _Laid) -> Scan | None:
    """The scan of the calibration lines that do not join the imaging lines."""
    slices = laid.heads["idx"]["slice"]
    apart = laid.apart & np.isin(slices, slices[laid.lines["index"]])
    if not apart.any():
        return None
    name = f"{laid.name}'s calibration"
    of_these = partial(_load_some, load=laid.load, some=np.flatnonzero(apart))
    try:
        return only(name, assemble(name, laid.stated, laid.heads[apart], of_these))
    except BadInput:  # it is needed only where the scan has no centre of its own
        return None


def _load_some(wanted: NDArray[np.intp], load: Load, some: NDArray[np.intp]) -> Iterable[Array]:
    return load(some[wanted])


def _sampled(kspace: Assembled) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """(frame, *space): where lines lie, less the lines and columns that are zero; and warnings."""
    sampled = np.zeros(kspace.shape[2:], np.bool_)
    for line in kspace.lines[kspace.lines["slice"] == 0]:  # as of every slice
        sampled[where(line, sampled.ndim - 2)] = True
    each_slice = (each_coil(kspace, index) for index in outwards(kspace.shape[0]))
    others = (0, *range(2, sampled.ndim))
    return less_filling(sampled, each_slice, [(1,), others])


def _noise(
    header: Header, heads: Records, noise: NDArray[np.bool_], imaging: np.void, load: Load
) -> tuple[Array | None, tuple[str, ...]]:
    """(coil, samples): the noise as the imaging lines' bandwidth lets it in; and warnings."""
    if not noise.any():
        return None, ()
    channels, coils = heads["active_channels"], imaging["active_channels"]
    fits = noise & (channels == coils)
    if not fits.any():
        stated = " or ".join(map(str, np.unique(channels[noise])))
        return None, (
            f"its noise scan has {stated} channels, but its lines have {coils}; {NOT_WHITENED}",
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
            f"its noise scan holds values that are not finite numbers, or beyond {LARGEST:g}; "
            f"{NOT_WHITENED}",
        )
    return samples, ()
