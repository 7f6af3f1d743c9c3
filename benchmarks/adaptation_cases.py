"""Networks, and scans to adapt them to: simulated, of other families than training's, and real."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.brains import brains
from gleam.cli import main as gleam
from gleam.data.example import ExampleFile, write
from gleam.formats import Scan, Volume
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import Recipe
from gleam.runs.folder import finished, is_there
from gleam.runs.train import train
from gleam.simulation.from_image import simulate_from_image
from gleam.simulation.scan import simulate_scan

Grey = NDArray[np.floating]

FINER = 2  # points of an image per voxel
COILS, SNR = 6, 80.0
TRAINING_SNR = 10.0, 200.0


def fractal(shape: tuple[int, int], rng: np.random.Generator) -> Grey:
    """An image whose spectrum falls like that of natural ones, by 1 / |k|."""
    axes = [np.fft.fftfreq(n) for n in shape]
    k = np.hypot(*np.meshgrid(*axes, indexing="ij")) + 1 / max(shape)
    spectrum = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / k
    return np.abs(np.fft.ifft2(spectrum))


def leaves(shape: tuple[int, int], rng: np.random.Generator) -> Grey:
    """Discs that hide each other, their radii by a power law: edges at all scales, as in photos."""
    y, x = np.indices(shape)
    image = np.zeros(shape)
    for _ in range(600):
        radius = 0.02 * max(shape) * rng.random() ** -0.5
        cy, cx = rng.random(2) * shape
        image[np.hypot(y - cy, x - cx) < min(radius, max(shape) / 3)] = rng.uniform(0.1, 1)
    return image


IMAGES: dict[str, Callable[[tuple[int, int], np.random.Generator], Grey]] = {
    "fractal": fractal,
    "leaves": leaves,
}
FAMILIES = (*IMAGES, "heart")


def scan_of(family: str, shape: tuple[int, int], seed: int) -> Scan:
    """A fully sampled slice of a family; a heart at one moment."""
    name = f"{family}-{seed}"
    if family == "heart":
        series = simulate_scan(shape, COILS, 1, SNR, (7, seed), 1, name, frames=4)
        one = series.kspace[0][None, :, :1]
        return Scan(**vars(series) | {"kspace": one})
    fine = (FINER * shape[0], FINER * shape[1])
    rng = np.random.default_rng((5, seed))
    y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in fine], indexing="ij")
    image = IMAGES[family](fine, rng) * ((y / 0.85) ** 2 + (x / 0.9) ** 2 < 1)
    volume = Volume(image[None, None].astype(np.complex64), (1.0,) * 3, np.eye(4), name=name)
    return simulate_from_image(volume, shape, COILS, SNR, seed, name=name)


def example_of(scan: Scan, folder: Path, calibration: int | None = None) -> ExampleFile:
    """As an example file, unless it is there."""
    path = folder / f"{scan.name.split()[0]}.h5"
    if not path.exists():
        write(Prepared(scan, Settings(calibration)), path)
    return ExampleFile(path)


def real(data: Path, work: Path) -> list[ExampleFile]:
    """The brains, a volume and a series with simulated coils; files that are there are kept.

    Of the brains, y counts as the readout: a scanner that undersamples x samples it in full.
    """
    folder = work / "real"
    for example in brains(data):
        path = folder / f"{example.header.name.split()[0]}.h5"
        if not path.exists():
            scan = replace(example.scan, readout=0)
            write(Prepared(scan, Settings(), sha256=example.header.sha256), path)
    made = work / "made"
    if not made.exists():
        simulate = ["simulate", str(made), "--coils", "6", "6", "--snr", "80", "80", "--from"]
        gleam([*simulate, str(data / "brain_T1_colin27_ch2.nii.gz"), "--shape", "64", "96", "80"])
        series = str(data / "dce_abdomen_complex_images.mat")
        gleam([*simulate, series, "--axes", "y x frame", "--name", "abdomen"])
        gleam(["prepare", str(made), str(folder)])
    return [ExampleFile(path) for path in sorted(folder.glob("*.h5"))]


def anatomy(
    work: Path,
    shape: tuple[int, int],
    scans: int,
    calibration: int | None = None,
    snr: tuple[float, float] = TRAINING_SNR,
) -> Path:
    """A folder of simulated anatomy to train on; files that are there are kept.

    Args:
        work: folder of data and runs.
        shape: of slices.
        scans: of four slices each.
        calibration: see `Settings`.
        snr: the lowest and the highest.
    """
    limits = "" if snr == TRAINING_SNR else f"-{snr[0]:g}-{snr[1]:g}"
    data = work / f"anatomy-{'x'.join(map(str, shape))}{limits}"
    for seed in range(scans):
        name = f"anatomy-{seed}"
        if not (data / f"{name}.h5").exists():
            scan = simulate_scan(shape, (4, 8), 4, snr, (11, seed), name=name)
            example_of(scan, data, calibration)
    return data


def trained(work: Path, name: str, examples: Path, **fields: Any) -> Path:
    """A run trained on a folder of examples, or on to its end if it was stopped.

    Args:
        work: folder of runs.
        name: of the run.
        examples: to learn from.
        fields: of the recipe.
    """
    folder = work / name
    recipe = Recipe().changed(data={"train": examples}).changed(**fields)
    if not finished(folder, recipe.training.steps):
        train(recipe, folder, resume=is_there(folder))
    return folder
