"""From a scan to an example: everything that is done once, so that training need not.

Noise is whitened and coils are compressed when asked; the readout, when it was sampled in full,
is transformed and its oversampling cropped; the other axes are brought to shift-free k-space.
Sensitivity maps come from the calibration region alone. The target is the coil images of the
fully sampled scan, combined with those maps. One scale per scan, from its calibration image,
brings intensities to about one.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex
from torch import Tensor

from gleam.arrays import centre
from gleam.data.example import Header, Slice
from gleam.errors import BadInput
from gleam.formats.scan import Scan
from gleam.physics.coils import compression_matrix, mix, whitening_matrix
from gleam.physics.espirit import espirit
from gleam.physics.fourier import centred, fft, ifft, shift_free
from gleam.physics.noise import noise_level

READOUT_CALIBRATION = 24  # samples of the readout that go with the calibration lines


@dataclass(frozen=True)
class Settings:
    """How scans are prepared.

    Attributes:
        calibration: lines kept along each phase-encoding axis; None takes 8 % of them, at least
            10, and up to 32 of an undersampled scan's own.
        sets: ESPIRiT map sets, 2 where the object is larger than the field of view.
        coils: compress to so many virtual coils; None keeps all.
    """

    calibration: int | None = None
    sets: int = 1
    coils: int | None = None


class Prepared:
    """A scan as an example, computed slice by slice as it is asked for.

    Args:
        scan: from any format.
        settings: how.
        fingerprint: goes into the header.

    Raises:
        BadInput: no calibration region, an empty one, or one smaller than asked for.
    """

    def __init__(self, scan: Scan, settings: Settings, fingerprint: str = "") -> None:
        self.scan = scan
        dims = len(scan.space)
        readout = None if scan.readout is None else scan.readout - dims
        sampled = torch.from_numpy(np.array(scan.sampled))
        self._decoded = readout if readout is not None and _constant(sampled, readout) else None
        if self._decoded is not None:
            sampled = sampled.narrow(self._decoded, 0, 1)
        axes = tuple(a for a in range(-dims, 0) if a != self._decoded)
        self.sampled = torch.fft.ifftshift(sampled, dim=axes)
        space = list(scan.space)
        if self._decoded is not None:
            space[self._decoded] = scan.matrix[self._decoded]
        box = self._calibration_box(settings, space)

        slices = range(scan.kspace.shape[0])
        self._mixing = self._whitening()
        self._calibration = torch.cat([self._read_calibration(i, box) for i in slices])
        if settings.coils is not None:
            compression = compression_matrix(self._calibration, settings.coils)
            self._calibration = mix(self._calibration, compression)
            self._mixing = compression if self._mixing is None else compression @ self._mixing
        noise = noise_level(self._calibration) * math.sqrt(scan.kspace.shape[2])
        scale = _intensity(self._calibration, space)
        if not scale > 0:
            raise BadInput(f"{scan.name}: its calibration region holds no signal; leave it out")

        self.sets, self.complete = settings.sets, scan.complete
        self.shape = (len(slices), self._calibration.shape[1], scan.kspace.shape[2], *space)
        self.header = Header(
            name=scan.name,
            axes=axes,
            readout=readout,
            calibration=tuple(box),
            scale=scale,
            noise=noise / scale,
            matrix=tuple(min(m, n) for m, n in zip(scan.matrix, space, strict=True)),
            voxel=scan.voxel,
            affine=tuple(tuple(row) for row in scan.affine.tolist()),
            contrast=scan.contrast,
            fingerprint=fingerprint,
        )

    def __getitem__(self, index: int) -> Slice:
        """Read and prepare one slice."""
        axes, space = self.header.axes, self.shape[3:]
        kspace = self._mixed(self._decode(torch.from_numpy(self.scan.kspace[index])))
        kspace = shift_free(kspace, axes) / self.header.scale
        maps = espirit(self._calibration[index : index + 1], space, self.sets)[0]
        target = None
        if self.complete:
            coil_images = ifft(kspace, axes)
            target = torch.einsum("sc...,c...->s...", maps.conj(), coil_images)
        return Slice(kspace, maps, target)

    def _calibration_box(self, settings: Settings, space: list[int]) -> list[int]:
        """Size of the calibration region along each axis of the prepared k-space."""
        scan = self.scan
        if scan.calibration is None:
            raise BadInput(
                f"{scan.name}: has no fully sampled centre of k-space to calibrate coils from; "
                "scan with calibration lines"
            )
        box = []
        for axis, size in zip(range(-len(space), 0), space, strict=True):
            if axis == self._decoded:
                box.append(min(READOUT_CALIBRATION, size))
                continue
            start, stop = scan.calibration[axis]
            middle = size // 2
            available = min(2 * (middle - start) + 1, 2 * (stop - middle), stop - start)
            usual = max(10, round(0.08 * size)) if scan.complete else 32
            wanted = min(usual, available) if settings.calibration is None else settings.calibration
            if not 1 <= wanted <= available:
                raise BadInput(
                    f"{scan.name}: {wanted} calibration lines asked for, but "
                    f"{available} of {size} are sampled; ask for 1 to {available}"
                )
            box.append(wanted)
        return box

    def _whitening(self) -> Complex[Tensor, "coil coil"] | None:
        if self.scan.noise is None:
            return None
        return whitening_matrix(torch.from_numpy(self.scan.noise))

    def _read_calibration(self, index: int, box: list[int]) -> Complex[Tensor, "1 coil *box"]:
        """The calibration region of one slice, averaged over frames, centred."""
        kspace = torch.from_numpy(self.scan.kspace[index])
        if not torch.isfinite(torch.view_as_real(kspace)).all():
            raise BadInput(f"{self.scan.name}: slice {index} of its k-space has NaN or Inf")
        for axis, size in zip(range(-len(box), 0), box, strict=True):
            if axis != self._decoded:
                kspace = centre(kspace, axis, size)
        kspace = self._decode(kspace)
        if self._decoded is not None:
            image, axes = kspace, (self._decoded,)
            kspace = centre(centred(fft(image, axes), axes), *axes, box[self._decoded])
        return self._mixed(kspace).mean(1)[None]

    def _decode(self, kspace: Tensor) -> Tensor:
        """Transform the readout, and crop its oversampling away."""
        if self._decoded is None:
            return kspace
        axes = (self._decoded,)
        image = ifft(shift_free(kspace, axes), axes)
        return centre(image, self._decoded, self.scan.matrix[self._decoded])

    def _mixed(self, kspace: Tensor) -> Tensor:
        return kspace if self._mixing is None else mix(kspace[None], self._mixing)[0]


def _constant(sampled: Tensor, axis: int) -> bool:
    return bool((sampled == sampled.narrow(axis, 0, 1)).all())


def _intensity(calibration: Complex[Tensor, "slice coil *box"], space: list[int]) -> float:
    """The 98th percentile of the root-sum-of-squares calibration image over all slices."""
    box = calibration.shape[2:]
    axes = tuple(range(-len(box), 0))
    image = ifft(shift_free(calibration, axes), axes).abs().square().sum(1).sqrt()
    # An orthonormal FFT of fewer samples makes a brighter image.
    return float(np.quantile(image.numpy(), 0.98)) * math.sqrt(math.prod(box) / math.prod(space))
