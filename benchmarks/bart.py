"""BART's `pics` on our own examples, from the same k-space and maps, in 2D, 3D and 2D+t.

BART has space in dimensions 0 to 2, coils in 3, map sets in 4, time in 10, and centres everything.
"""

import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray

from gleam.arrays import Image
from gleam.data.batch import Batch
from gleam.data.example import Example
from gleam.data.loader import every_slice
from gleam.metrics import psnr_complex
from gleam.physics.baselines import cg_sense
from gleam.physics.fourier import centred, fft
from gleam.physics.measurement import Measured
from gleam.recipe import MaskRecipe

Array = NDArray[np.complex64]

RANK, COIL, SET, TIME = 16, 3, 4, 10


@dataclass(frozen=True)
class Case:
    """An undersampled slice, volume or series.

    Attributes:
        batch: what the methods of GLEAM reconstruct from, and the target.
        kspace: (coil, frame, *space), the same data as BART wants them: centred, zero where not
            sampled.
        maps: (set, coil, 1, *space).
    """

    batch: Batch
    kspace: Array
    maps: Array

    @property
    def measurement(self) -> Measured:
        """A and Aᴴy."""
        return self.batch.measurement

    def psnr(self, image: Image) -> float:
        """Complex PSNR in dB."""
        assert self.batch.target is not None
        return float(psnr_complex(image, self.batch.target))


def undersample(examples: Sequence[Example], mask: MaskRecipe) -> list[Case]:
    """Every slice or volume, with the one mask that is drawn from its scan's name."""
    cases = []
    for example in examples:
        space = tuple(range(3 - len(example.shape), 0))
        decoded = tuple(axis for axis in space if axis not in example.header.axes)
        for batch in every_slice([example], mask):
            whole = example[batch.slices[0]]
            # A mask may vary along any axis, the readout too: it applies to k-space along all.
            kspace = fft(whole.kspace, decoded) if decoded else whole.kspace
            kspace = kspace * batch.measurement.mask[0]
            cases.append(Case(batch, centred(kspace, space).numpy(), whole.maps.numpy()))
    return cases


def pics(case: Case, penalty: str, iterations: int = 100) -> Image:
    """`bart pics` with the case's own maps; its λ is in units of our images (-w 1).

    The image is zero where the maps are, as the target is: there A says nothing of it, and
    penalties would spill over.

    Args:
        case: a slice, a volume or a series.
        penalty: options, as "-l1 -r 0.01".
        iterations: at most.
    """
    maps = case.maps
    with tempfile.TemporaryDirectory() as folder:
        write_cfl(Path(folder) / "kspace", case.kspace[None])
        write_cfl(Path(folder) / "maps", maps)
        command = f"bart pics {penalty} -i {iterations} -e -w 1 kspace maps image".split()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        image = np.fromfile(Path(folder) / "image.cfl", "<c8")
    _, frames, *space = case.kspace.shape
    # The first dimension is the fastest; those not named have length 1.
    image = image.reshape(frames, len(maps), *space[::-1])
    image = image.transpose(1, 0, *range(image.ndim - 1, 1, -1)) * maps.any(axis=1)
    # Along an axis of 2 (mod 4) positions, pics has the opposite sign of BART's own `fft -u`.
    sign = (-1) ** sum(size % 4 == 2 for size in space)
    return torch.from_numpy(np.ascontiguousarray(sign * image))[None]


def write_cfl(path: Path, coils: Array) -> None:
    """(set, coil, frame, *space); a plane lies in dimensions 1 and 2."""
    sets, count, frames, *space = coils.shape
    sizes = [1] * (3 - len(space)) + list(space) + [1] * (RANK - 3)
    sizes[COIL], sizes[SET], sizes[TIME] = count, sets, frames
    path.with_suffix(".hdr").write_text(f"# Dimensions\n{' '.join(map(str, sizes))}\n")
    # Slowest first: time, set, coil, then space backwards.
    order = (2, 0, 1, *range(coils.ndim - 1, 2, -1))
    coils.transpose(order).astype("<c8").tofile(path.with_suffix(".cfl"))


def wavelet(case: Case, weight: float) -> Image:
    """argmin ½‖A x − y‖² + weight · ‖wavelet transform of x‖₁: FISTA with random shifts."""
    return pics(case, f"-l1 -r {weight}")


def temporal_variation(case: Case, weight: float) -> Image:
    """argmin ½‖A x − y‖² + weight · ‖differences of neighbouring frames‖₁, by ADMM."""
    return pics(case, f"-R T:{2**TIME}:0:{weight}")


def check_conventions(case: Case) -> float:
    """Relative distance of BART's SENSE from ours; else no figure would mean anything."""
    # Its penalty draws to zero, ours to the zero-filled image.
    ours, theirs = cg_sense(case.measurement, 0.1, 100), 1.1 * pics(case, "-l2 -r 0.1")
    distance = float((ours - theirs).norm() / ours.norm())
    assert distance < 1e-3, f"BART's SENSE differs from ours by {distance:.1e}: conventions differ"
    return distance


def in_turn(images: Iterable[Image]) -> Callable[[Measured], Image]:
    """As a method: BART needs k-space, which a measurement does not hold.

    `evaluate` asks a method once for every batch, in their order.
    """
    waiting = iter(images)
    return lambda measurement: next(waiting)


def mean_psnr(images: Iterable[Image], cases: Sequence[Case]) -> float:
    """In dB."""
    return fmean(case.psnr(image) for image, case in zip(images, cases, strict=True))
