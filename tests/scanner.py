"""A scanner of a few points in space, which writes ISMRMRD files with the `ismrmrd` package.

Written from the MRD specification alone. What it samples is known exactly everywhere: point p with
amplitude a gives coil c the signal a · weight(c) · exp(−2πi k·(r − position)), k in cycles per mm.
"""

from dataclasses import dataclass, field
from pathlib import Path

import ismrmrd
import numpy as np
from ismrmrd import xsd

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
OBLIQUE = tuple(  # columns of a rotation, right-handed
    np.array(axis) for axis in ((0.8, 0.36, 0.48), (-0.6, 0.48, 0.64), (0.0, -0.8, 0.6))
)


@dataclass
class Scanner:
    """Encoding, geometry and object; `acquire` fills `acquisitions`, `write` writes them."""

    encoded: tuple[int, int, int] = (32, 24, 1)
    recon: tuple[int, int, int] = (16, 24, 1)
    fov: tuple[float, float, float] = (64.0, 36.0, 5.0)
    recon_fov: tuple[float, float, float] = (32.0, 36.0, 5.0)
    coils: int = 3
    directions: tuple = AXIAL
    position: tuple[float, float, float] = (10.0, -20.0, 30.0)
    step_1: tuple[int, int] | None = None  # maximum and centre; by default the whole matrix
    step_2: tuple[int, int] | None = None
    points: list[tuple[np.ndarray, complex]] = field(default_factory=list)
    acquisitions: list[ismrmrd.Acquisition] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.directions = tuple(np.array(axis, float) for axis in self.directions)
        self.step_1 = self.step_1 or (self.encoded[1] - 1, self.encoded[1] // 2)
        self.step_2 = self.step_2 or (self.encoded[2] - 1, self.encoded[2] // 2)
        self.weights = np.exp(1j * np.arange(self.coils)) * (1 + np.arange(self.coils))

    def voxel(self, *steps: int, distance: float = 0.0) -> np.ndarray:
        """A place in the patient: so many encoded voxels from the centre, along each axis."""
        sizes = [f / n for f, n in zip(self.fov, self.encoded, strict=True)]
        place = np.array(self.position) + distance * self.directions[2]
        for axis, size, step in zip(self.directions, sizes, steps, strict=False):
            place = place + axis * size * step
        return place

    def signal(self, kx, ky, kz=0, distance=0.0, gain=1.0) -> np.ndarray:
        """(coil, …) for indices k counted from the centre of k-space."""
        signal = 0
        for place, amplitude in self.points:
            offset = place - np.array(self.position) - distance * self.directions[2]
            turns = sum(
                k * (offset @ axis) / size
                for k, axis, size in zip((kx, ky, kz), self.directions, self.fov, strict=True)
            )
            signal = signal + gain * amplitude * np.exp(-2j * np.pi * turns)
        return np.multiply.outer(self.weights, np.asarray(signal))

    def ideal(self, distance=0.0, gain=1.0) -> np.ndarray:
        """(coil, readout, phase 1[, phase 2]) complex64, all of centred k-space."""
        axes = [np.arange(n) - n // 2 for n in self.encoded if n > 1]
        grid = np.meshgrid(*axes, indexing="ij")
        return self.signal(*grid, distance=distance, gain=gain).astype(np.complex64)

    def acquire(
        self,
        step_1: int,
        step_2: int = 0,
        *,
        first: int | None = None,  # index k of the first sample; by default a full echo
        samples: int | None = None,
        backwards: bool = False,
        distance: float = 0.0,
        gain: float = 1.0,
        pad: tuple[int, int] = (0, 0),  # useless samples before and after
        flags: tuple[int, ...] = (),
        centre: int | None = None,
        data: np.ndarray | None = None,
        **counters: int,
    ) -> ismrmrd.Acquisition:
        first = -(self.encoded[0] // 2) if first is None else first
        kx = first + np.arange(samples or self.encoded[0])
        kx = kx[::-1] if backwards else kx
        ky, kz = step_1 - self.step_1[1], step_2 - self.step_2[1]
        if data is None:
            data = self.signal(kx, ky, kz, distance, gain)
            data = np.pad(data, [(0, 0), pad], constant_values=1e3)
        line = ismrmrd.Acquisition.from_array(np.ascontiguousarray(data, np.complex64))
        line.center_sample = pad[0] + int(np.flatnonzero(kx == 0)[0]) if centre is None else centre
        line.discard_pre, line.discard_post = pad
        line.sample_time_us = 5.0
        line.position = tuple(np.array(self.position) + distance * self.directions[2])
        line.read_dir, line.phase_dir, line.slice_dir = (tuple(axis) for axis in self.directions)
        line.idx.kspace_encode_step_1, line.idx.kspace_encode_step_2 = step_1, step_2
        for counter, value in counters.items():
            setattr(line.idx, counter, value)
        for flag in (*flags, *([ismrmrd.ACQ_IS_REVERSE] if backwards else [])):
            line.set_flag(flag)
        self.acquisitions.append(line)
        return line

    def header(self) -> xsd.ismrmrdHeader:
        def space(size, fov):
            return xsd.encodingSpaceType(
                matrixSize=xsd.matrixSizeType(**dict(zip("xyz", size, strict=True))),
                fieldOfView_mm=xsd.fieldOfViewMm(**dict(zip("xyz", fov, strict=True))),
            )

        def limit(maximum, centre):
            return xsd.limitType(minimum=0, maximum=maximum, center=centre)

        limits = xsd.encodingLimitsType(
            kspace_encoding_step_1=limit(*self.step_1), kspace_encoding_step_2=limit(*self.step_2)
        )
        encoding = xsd.encodingType(
            encodedSpace=space(self.encoded, self.fov),
            reconSpace=space(self.recon, self.recon_fov),
            encodingLimits=limits,
            trajectory=xsd.trajectoryType.CARTESIAN,
        )
        return xsd.ismrmrdHeader(
            experimentalConditions=xsd.experimentalConditionsType(H1resonanceFrequency_Hz=63500000),
            encoding=[encoding],
        )

    def write(
        self, path: Path, header: xsd.ismrmrdHeader | None = None, group: str = "dataset"
    ) -> Path:
        """Into a group of a file, which may hold others."""
        with ismrmrd.Dataset(path, group, mode="a") as file:
            file.write_xml_header(xsd.ToXML(header or self.header()).encode())
            for line in self.acquisitions:
                file.append_acquisition(line)
        return path
