"""Tiny scans, examples and recipes; centred transforms, written a second time to check against."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gleam.data.header import VERSION
from gleam.data.kind import ScanKind
from gleam.data.trained_on import TrainedOn
from gleam.files import make_folder
from gleam.formats import Scan, write_scan
from gleam.formats.scan import calibration_box
from gleam.physics.classical import CLASSICAL
from gleam.preparation import jobs
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import Recipe
from gleam.reconstruction.reconstructor import Classical
from gleam.simulation import simulate_scan

Complex = NDArray[np.complexfloating]

ZERO_FILLED, CG_SENSE = (Classical(name, CLASSICAL[name]) for name in ("zero-filled", "cg-sense"))


def tiny_scan(
    shape: tuple[int, ...] = (24, 20),
    slices: int = 2,
    coils: int = 3,
    oversampling: int = 2,
    seed: int = 0,
    name: str = "tiny",
) -> Scan:
    return simulate_scan(shape, coils, slices, 50.0, seed, oversampling, name)


def undersampled(scan: Scan, keep: NDArray[np.bool_]) -> Scan:
    """The scan as if only `keep` (frame, *space; axes of length 1 broadcast) had been acquired."""
    whole = np.broadcast_to(keep, scan.kspace.shape[2:])
    kspace = np.stack([scan.kspace[i] for i in range(scan.kspace.shape[0])])
    return replace(
        scan, kspace=kspace * whole, sampled=np.array(keep), calibration=calibration_box(whole)
    )


def every_second_line(columns: int = 20, centre: int = 8) -> NDArray[np.bool_]:
    lines = np.arange(columns) % 2 == 0
    lines[columns // 2 - centre // 2 :][:centre] = True
    return lines[None, None]


def prepared(scan: Scan, **settings: int) -> Prepared:
    return Prepared(scan, Settings(**settings))


def example_files(folder: Path, scans: int = 3, first: int = 0, **kind: object) -> Path:
    """A folder of example files, made the way users make them."""
    raw, out = folder / "scans", folder / "examples"
    for seed in range(first, first + scans):
        scan = tiny_scan(seed=seed, name=f"scan-{seed}", **kind)  # type: ignore[arg-type]
        write_scan(scan, raw / f"scan-{seed}.h5")
    make_folder(out)
    for source in jobs.find_scans([raw]):
        (outcome,) = jobs.prepare_one(source, out, Settings())
        assert outcome.status == "prepared"
    return out


def tiny_recipe(examples: Path, **training: object) -> Recipe:
    fields = {
        "modules": 2, "steps": 6, "warmup": 1, "validate_every": 3, "checkpoint_every": 2,
    }  # fmt: skip
    return Recipe.model_validate(
        {
            "data": {"train": examples, "validation": examples},
            "mask": {"acceleration": 1.6},
            "network": {
                "iterations": 3,
                "cg_steps": 2,
                "regulariser": {"width": 4, "blocks": 1},
            },
            "training": fields | training,
        }
    )


def trained_on(recipe: Recipe, *kinds: ScanKind) -> TrainedOn:
    """As if the recipe had been trained on scans of some kinds, 2D slices by default."""
    nothing = TrainedOn.of(recipe.training_masks, []).model_dump()
    return TrainedOn(**nothing | {"preparations": [VERSION], "kinds": kinds or ["2D slices"]})


def centred_fft(image: Complex, axes: tuple[int, ...]) -> Complex:
    shifted = np.fft.fftn(np.fft.ifftshift(image, axes), axes=axes, norm="ortho")
    return np.fft.fftshift(shifted, axes)


def centred_ifft(kspace: Complex, axes: tuple[int, ...]) -> Complex:
    shifted = np.fft.ifftn(np.fft.ifftshift(kspace, axes), axes=axes, norm="ortho")
    return np.fft.fftshift(shifted, axes)


def cropped(image: Complex, sizes: tuple[int, ...]) -> Complex:
    """The last axes cut to `sizes` around ⌊N/2⌋."""
    for axis, size in zip(range(-len(sizes), 0), sizes, strict=True):
        first = image.shape[axis] // 2 - size // 2
        image = image.take(range(first, first + size), axis)
    return image


def coil_images(scan: Scan, index: int) -> Complex:
    """(coil, frame, *matrix): the centred inverse FFT of each coil of a slice, cropped."""
    axes = tuple(range(-len(scan.matrix), 0))
    return cropped(centred_ifft(scan.kspace[index], axes), scan.matrix)


def largest_error(got: Complex, expected: Complex) -> float:
    """Largest |difference| over the largest magnitude."""
    assert got.shape == expected.shape
    return float(np.abs(got - expected).max() / np.abs(expected).max())
