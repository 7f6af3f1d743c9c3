"""A scan made into an example: everything that is done once, so that training need not.

Noise is whitened, by the scan's noise scan or one in a file (`gleam.preparation.noise_file`), or
coils are brought to one level by what the scan itself tells (`gleam.preparation.noise_level`), and
they are compressed when asked; the readout, when it was sampled in full, is transformed and its
oversampling cropped; the other axes are brought to shift-free k-space.
Sensitivity maps come from the calibration region alone (`gleam.preparation.calibration`). The
target is the coil images of the fully sampled scan, combined with those maps. One scale per scan,
from its calibration image, brings intensities to about one.

A volume whose readout is transformed is prepared slab by slab along it; it need not fit in memory.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Complex
from numpy.typing import NDArray
from torch import Tensor

from gleam.amounts import rounded
from gleam.data.example import Slice
from gleam.data.header import VERSION, Header
from gleam.errors import BadInput
from gleam.formats import read_scans
from gleam.formats.layout import Layout
from gleam.formats.parts import only
from gleam.formats.scan import LARGEST, Scan
from gleam.physics.coils import compression_matrix, mix
from gleam.physics.espirit import Sensitivities
from gleam.physics.fourier import ifft, shift_free
from gleam.preparation.calibration import calibrate
from gleam.preparation.grid import Grid
from gleam.preparation.noise_file import with_noise, without_useless_noise
from gleam.preparation.noise_level import whitened
from gleam.preparation.readout_store import Decoded

_DROWNED = 0.5  # of the brightest parts, that noise makes up: a signal-to-noise ratio of 2


@dataclass(frozen=True)
class Settings:
    """Settings of the preparation of scans.

    Attributes:
        calibration: lines kept along each phase-encoding axis; None takes 8 % of them, at least
            10, and up to 32 of an undersampled scan's own. 0 keeps none: maps then come from the
            average over time (see `gleam.preparation.calibration`), or from the reference.
        sets: ESPIRiT map sets, 2 where the object is larger than the field of view.
        coils: compress to so many virtual coils; None keeps all.
        layout: what the axes of files of plain numbers mean; other files are then refused.
        reference: a scan file of the same coils, to calibrate from; None takes the scan itself, or
            what came with it.
        noise: a file of noise of the same coils, to whiten them with instead of the scan's own (see
            `gleam.preparation.noise_file`).
        measurement: which of a file's, see `read_scan`; of a reference the last is taken.
    """

    calibration: int | None = None
    sets: int = 1
    coils: int | None = None
    layout: Layout | None = None
    reference: Path | None = None
    measurement: str | None = None
    noise: Path | None = None

    @property
    def beside(self) -> tuple[Path, ...]:
        """The files that preparation reads beside a scan."""
        return tuple(path for path in (self.reference, self.noise) if path is not None)


class Prepared:
    """A scan as an example, computed slice by slice, or slab by slab, as it is asked for.

    Args:
        scan: from any format.
        settings: how.
        fingerprint, sha256: go into the header.
        seen: what noise and, where masks keep no centre, calibration may be read off, centred
            (frame, *space); None for all that was sampled. It holds the centre.

    Raises:
        BadInput: no calibration region, an empty one, or one smaller than asked for; or a
            reference or noise that does not fit.
    """

    path: Path | None = None  # it is in none

    def __init__(
        self,
        scan: Scan,
        settings: Settings,
        fingerprint: str = "",
        sha256: str = "",
        seen: NDArray[np.bool_] | None = None,
    ) -> None:
        if settings.noise is not None:
            scan = with_noise(scan, settings.noise, settings.layout)
        scan = without_useless_noise(scan)
        self.scan, self.sets, self.complete = scan, settings.sets, scan.complete
        self.settings = replace(settings, noise=None)  # which the scan has now
        self._grid = grid = Grid.of(scan)
        self.sampled = torch.fft.ifftshift(grid.pattern(scan), dim=grid.axes)

        reference = _reference(settings, scan.part)
        part = scan if seen is None else replace(scan, sampled=scan.sampled & seen)
        # A centre that masks keep is seen in any case.
        centre = part if settings.calibration == 0 else scan
        source = calibrate(centre, grid, settings.calibration, reference)
        self._whitening, noise = whitened(part)
        self._mixing = self._whitening
        self._calibration = self._mixed(source.kspace)
        if not self._calibration.abs().max() <= LARGEST:
            raise BadInput(f"{scan.name}: its noise scan holds next to no noise; leave it out")
        if settings.coils is not None:
            compression = compression_matrix(self._calibration, settings.coils)
            self._calibration = mix(self._calibration, compression)
            self._mixing = compression if self._mixing is None else compression @ self._mixing
        scale = _intensity(self._calibration, grid.space) * source.gain
        if not scale > 0:
            raise BadInput(f"{scan.name}: its calibration region holds no signal; leave it out")

        slices, _, frames, *_ = scan.kspace.shape
        self.shape = (slices, self._calibration.shape[1], frames, *grid.space)
        self.header = Header(
            name=scan.name,
            axes=grid.axes,
            readout=None if scan.readout is None else scan.readout - len(scan.space),
            calibration=source.kept,
            scale=scale,
            noise=None if noise is None else noise / scale,
            matrix=tuple(min(m, n) for m, n in zip(scan.matrix, grid.space, strict=True)),
            voxel=scan.voxel,
            affine=tuple(tuple(row) for row in scan.affine.tolist()),
            thickness=scan.thickness,
            contrast=scan.contrast,
            fingerprint=fingerprint,
            sha256=sha256,
            warnings=(
                *scan.warnings,
                *_of_reference(reference),
                *source.warnings,
                *_of_noise(noise, scale),
            ),
            version=VERSION,
        )

    def header_from(self, seen: NDArray[np.bool_]) -> Header | None:
        """The header if no more had been seen; None if maps and k-space, too, would be others.

        Args:
            seen: as for the class.
        """
        if self.settings.calibration == 0:
            return None
        whitening, noise = whitened(replace(self.scan, sampled=self.scan.sampled & seen))
        if not _equal(whitening, self._whitening):
            return None
        level = None if noise is None else noise / self.header.scale
        return self.header.model_copy(update={"noise": level})

    def __getitem__(self, index: int) -> Slice:
        """Read and prepare one slice."""
        if self.header.slab_axis is not None:
            return self.slab(range(self.shape[self.header.slab_axis]))
        return self._slice(
            self._grid.decode(self._scanned(index)), self._sensitivities(index).maps()
        )

    def slab(self, positions: range) -> Slice:
        """Prepare some positions along a volume's readout."""
        return self._slice(self._decoded[positions], self.maps(positions))

    def maps(self, positions: range) -> Complex[Tensor, "set coil 1 *space"]:
        """The maps of a slab."""
        axis = self.header.slab_axis
        assert axis is not None
        return self._of_volume.maps(positions, axis)

    def _scanned(self, index: int) -> Complex[Tensor, "coil frame *scanned"]:
        return torch.from_numpy(self.scan.kspace[index])

    def _slice(self, kspace: Tensor, maps: Tensor) -> Slice:
        axes = self.header.axes
        kspace = shift_free(self._mixed(kspace[None])[0], axes) / self.header.scale
        target = None
        if self.complete:
            coil_images = ifft(kspace, axes)
            target = torch.einsum("sc...,c...->s...", maps.conj(), coil_images)
        return Slice(kspace, maps, target)

    @cached_property
    def _decoded(self) -> Decoded:
        return Decoded(self.scan, self._grid)

    @cached_property
    def _of_volume(self) -> Sensitivities:
        return self._sensitivities(0)

    def _sensitivities(self, index: int) -> Sensitivities:
        return Sensitivities(self._calibration[index], self.shape[3:], self.sets)

    def _mixed(self, kspace: Complex[Tensor, "batch coil *rest"]) -> Tensor:
        return kspace if self._mixing is None else mix(kspace, self._mixing)


def _reference(settings: Settings, part: str) -> Scan | None:
    """The scan to calibrate from: of a file that holds several, the one of the same name."""
    path = settings.reference
    if path is None:
        return None
    scans = read_scans(path, settings.layout)
    if part in scans:
        return scans[part]()
    if len(scans) > 1:
        raise BadInput(
            f"{path}: holds {len(scans)} scans ({', '.join(scans)}), none of them "
            f"{part or 'alone'!r}; give a reference of the same parts as the scan"
        )
    return only(str(path), scans)


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return torch.equal(one, other)


def _of_reference(reference: Scan | None) -> tuple[str, ...]:
    return () if reference is None else tuple(f"its reference: {w}" for w in reference.warnings)


def _of_noise(noise: float | None, scale: float) -> tuple[str, ...]:
    if noise is None or noise < _DROWNED * scale:
        return ()
    return (
        f"the noise of a sample is {rounded(noise / scale)} of its brightest parts: images show "
        "next to nothing but noise, whatever makes them",
    )


def _intensity(
    calibration: Complex[Tensor, "slice coil frame *box"], space: tuple[int, ...]
) -> float:
    """The 98th percentile over all slices of the root-sum-of-squares image of coils and frames."""
    box = calibration.shape[3:]
    axes = tuple(range(-len(box), 0))
    image = ifft(shift_free(calibration, axes), axes).abs().square().sum((1, 2)).sqrt()
    # An orthonormal FFT of fewer samples makes a brighter image.
    return float(np.quantile(image.numpy(), 0.98)) * math.sqrt(math.prod(box) / math.prod(space))
