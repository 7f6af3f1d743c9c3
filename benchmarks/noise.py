"""The noise level that preparation finds, over the true one, on simulated scans.

    python -m benchmarks.noise

Slices, volumes and series of several anatomies: with and without empty places around them, with
readout oversampling as in raw data and without, 1 to 128 coils with equal noise and with noise
that differs 13-fold, complete and undersampled, at signal-to-noise ratios from 5 to 3000. Where
coils were brought to one level, the truth is that of the mixed coils. "Unknown" is no ratio.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.measure import Figures, figure, keep, show
from gleam.formats.scan import Scan, calibration_box
from gleam.formats.volume import Volume
from gleam.preparation.noise_level import whitened
from gleam.simulation.from_image import simulate_from_image
from gleam.simulation.scan import simulate_scan

RATIOS = 5.0, 50.0, 500.0, 3000.0
UNEQUAL = 1.0, 13.0
FEW = 3  # coils
LINES = 16  # calibration lines of undersampled scans


@dataclass(frozen=True)
class Outcome:
    """What was found of one scan."""

    scan: str
    coils: int
    unequal: float
    snr: float
    ratio: float

    @property
    def off(self) -> float:
        """The ratio or its inverse, whichever is larger."""
        return max(self.ratio, 1 / self.ratio)


def families(coils: int, seed: int) -> Iterator[tuple[str, Scan]]:
    """Scans next to without noise, one a family."""
    for size, oversampling, oversized in (
        ((96, 80), 2, 0.0),
        ((96, 80), 2, 1.0),
        ((128, 128), 1, 0.0),
        ((64, 64), 2, 1.0),
    ):
        scan = simulate_scan(size, coils, 1, 1e7, seed, oversampling, oversized=oversized)
        yield f"slice {size}, {oversampling} x, {'beyond' if oversized else 'within'} it", scan
    yield "rough image (96, 96), 2 x", _rough(coils, seed)
    if coils <= 32:
        yield "volume (40, 40, 32), 2 x", simulate_scan((40, 40, 32), coils, 1, 1e7, seed, 2)
        yield "series (64, 64), 2 x", simulate_scan((64, 64), coils, 1, 1e7, seed, 2, frames=8)


def _rough(coils: int, seed: int) -> Scan:
    """An image whose spectrum falls like that of natural ones, by 1 / |k|, within an ellipse."""
    rng, size = np.random.default_rng(seed), 192
    k = np.hypot(*np.meshgrid(*[np.fft.fftfreq(size)] * 2)) + 1 / size
    spectrum = (rng.standard_normal((size, size)) + 1j * rng.standard_normal((size, size))) / k
    image = np.abs(np.fft.ifft2(spectrum)).astype(np.complex64)
    y, x = np.meshgrid(*[np.linspace(-1, 1, size)] * 2, indexing="ij")
    image *= (y / 0.8) ** 2 + (x / 0.9) ** 2 < 1
    volume = Volume(image[None, None], (1.0, 1.0, 1.0), np.eye(4), name="rough")
    return simulate_from_image(volume, (96, 96), coils, 1e7, seed, oversampling=2)


def undersampled(scan: Scan) -> Scan:
    """Every fourth line and a centre."""
    lines = scan.space[-1]
    keep = np.arange(lines) % 4 == 0
    keep[lines // 2 - LINES // 2 :][:LINES] = True
    pattern = keep.reshape(*[1] * len(scan.space), -1)
    kspace = np.stack([scan.kspace[i] for i in range(scan.kspace.shape[0])]) * pattern
    whole = np.broadcast_to(pattern, scan.kspace.shape[2:])
    return replace(scan, kspace=kspace, sampled=pattern, calibration=calibration_box(whole))


def noisy(
    scan: Scan, snr: float, unequal: float, with_noise_scan: bool, seed: int
) -> tuple[Scan, NDArray[np.floating]]:
    """The scan with noise added, and its level in each coil, E|n|² = σ²."""
    rng = np.random.default_rng(seed)
    kspace = np.stack([scan.kspace[i] for i in range(scan.kspace.shape[0])])
    axes = tuple(range(3, kspace.ndim))
    image = np.fft.ifftn(kspace[0, :, 0], axes=tuple(range(1, kspace.ndim - 2)), norm="ortho")
    seen = np.sqrt((np.abs(image) ** 2).sum(0))
    signal = seen[seen > 0.1 * seen.max()].mean()
    coils = kspace.shape[1]
    levels = np.ones(1) if coils == 1 else unequal ** rng.permutation(np.linspace(0, 1, coils))
    levels = levels * math.sqrt(2) * signal / snr / np.sqrt(np.mean(levels**2))

    def white(*shape: int) -> NDArray[np.complexfloating]:
        parts = rng.standard_normal((2, *shape), np.float32)
        return (parts[0] + 1j * parts[1]) / np.float32(math.sqrt(2))

    added = white(*kspace.shape) * levels.reshape(-1, 1, *[1] * len(axes)).astype(np.float32)
    data = ((kspace + added) * scan.sampled).astype(np.complex64)
    before = None
    if with_noise_scan:
        before = (white(coils, 4096) * levels[:, None]).astype(np.complex64)
    return replace(scan, kspace=data, noise=before), levels


def found(scan: Scan, levels: NDArray[np.floating]) -> float:
    """The level that is found, over the true one of the coils as they are mixed; NaN: unknown."""
    matrix, level = whitened(scan)
    if level is None:
        return math.nan
    mixing = torch.eye(len(levels)) if matrix is None else matrix
    truth = (mixing.abs().square() @ torch.from_numpy(levels**2).float()).mean().sqrt()
    return level / float(truth)


def outcomes(
    coils: Sequence[int],
    ratios: Sequence[float] = RATIOS,
    seeds: Sequence[int] = (0, 1),
    most: int | None = None,
) -> Iterator[Outcome]:
    """Of every scan of the grid, or of so many families of it."""
    for count in coils:
        for seed in seeds:
            for name, scan in islice(families(count, seed), most):
                for unequal in UNEQUAL[: 1 if count == 1 else 2]:
                    for snr in ratios:
                        for kind, one in (("", scan), (", 4x", undersampled(scan))):
                            data, levels = noisy(one, snr, unequal, False, seed)
                            yield Outcome(name + kind, count, unequal, snr, found(data, levels))
                    data, levels = noisy(scan, ratios[0], unequal, True, seed)
                    ratio = found(data, levels)
                    yield Outcome(f"{name}, noise scan", count, unequal, ratios[0], ratio)


def table(results: Sequence[Outcome]) -> str:
    """Least and largest ratio, and how often it is unknown, by scan, coils and noise."""
    rows = [
        "| scan | SNR | coils | estimate over truth | unknown |",
        "| --- | --- | --- | --- | --- |",
    ]
    for scan, snr, few in sorted({(r.scan, r.snr, r.coils <= FEW) for r in results}):
        some = [r.ratio for r in results if (r.scan, r.snr, r.coils <= FEW) == (scan, snr, few)]
        known = [ratio for ratio in some if not math.isnan(ratio)]
        span = f"{min(known):.2f} to {max(known):.2f}" if known else "–"
        coils = f"1 to {FEW}" if few else f"{FEW + 1} or more"
        rows.append(
            f"| {scan} | {snr:g} | {coils} | {span} | {len(some) - len(known)}/{len(some)} |"
        )
    return "\n".join(rows)


def summary(results: Sequence[Outcome]) -> dict[str, float]:
    """The figures by name."""
    known = [r for r in results if not math.isnan(r.ratio)]
    many = [r for r in results if r.coils > FEW]
    return {
        "worst_ratio": max(r.off for r in known if r.coils > FEW),
        "worst_ratio_few_coils": max((r.off for r in known if r.coils <= FEW), default=math.nan),
        "unknown_fraction": 1 - len(known) / len(results),
        "unknown_fraction_from_four_coils": sum(math.isnan(r.ratio) for r in many) / len(many),
    }


def run(seed: int = 0) -> Figures:
    """Measure; figures by name."""
    results = [
        *outcomes((1, 2, 3, 4, 8, 32), seeds=[seed]),
        *outcomes((128,), seeds=[seed], most=3),
    ]
    print(table(results))
    return {
        f"noise.{name}": figure(
            value, "share" if "fraction" in name else "×", f"noise --seed {seed}"
        )
        for name, value in summary(results).items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the scans and their noise")
    figures = run(parser.parse_args().seed)
    show(figures)
    keep(figures)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
