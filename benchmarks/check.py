"""Whether a check without the truth orders methods as the truth does, and what it costs.

    python -m benchmarks.check --run RUN
    python -m benchmarks.check --run RUN --data FOLDER

RUN is a network that was trained on simulated heads, 4× equispaced. Scans are simulated slices of
four families, of which the network has seen the like of one, at signal-to-noise ratios of 15 and
80; and, with --data, the real brains of `benchmarks.brains`, on which nothing was chosen. Masks:
4× equispaced, 4× random, 6× Poisson discs. Methods, named here before any was run: CG-SENSE,
wavelets as `gleam reconstruct` has them and with six times their weight, the network, and the
network stopped after a third of its iterations; zero filling is too easy to be told apart.

Of each scan and mask, two methods make a pair if their complex PSNR is 0.5 to 3 dB apart. It is
right if the one with the larger PSNR has the smaller error of prediction.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from benchmarks.brains import brains
from benchmarks.measure import Figures, figure, keep, show
from gleam.data.example import Example
from gleam.data.loader import every_slice
from gleam.formats.volume import Volume
from gleam.metrics import psnr_complex
from gleam.physics.classical import CLASSICAL
from gleam.physics.compressed_sensing import WAVELET, wavelet
from gleam.physics.measurement import Measured
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import MaskRecipe
from gleam.reconstruction.check import check
from gleam.reconstruction.checked import Check, jackknifed
from gleam.reconstruction.reconstructor import Classical, Reconstructor, Trained
from gleam.simulation import simulate_scan
from gleam.simulation.from_image import simulate_from_image

GAPS = 0.5, 3.0  # dB
RATIOS = 15.0, 80.0
MASKS = (
    MaskRecipe(),
    MaskRecipe(kind="random"),
    MaskRecipe(kind="poisson", acceleration=6),
)
MATCHED = 12  # heads, where the network is at home
SIZE = 72, 72
NETWORK = "network"


@dataclass(frozen=True)
class Outcome:
    """One scan with one mask.

    Attributes:
        scan, mask: which.
        psnr: complex PSNR of each method, in dB.
        check: what was found without the target.
        seconds: that it took, over those of one image of each method.
    """

    scan: str
    mask: str
    psnr: Mapping[str, float]
    check: Check
    seconds: float

    def pairs(self) -> Iterator[bool]:
        """Whether each pair is in the right order; none where the check says it cannot tell."""
        if self.check.best is None:
            return
        for method, other in combinations(self.psnr, 2):
            gap = self.psnr[method] - self.psnr[other]
            if GAPS[0] <= abs(gap) <= GAPS[1]:
                yield (gap > 0) == (self.check.ratio(method, other).value < 1)


def methods_of(run: Path) -> dict[str, Reconstructor]:
    """By name."""
    network = Trained.of(run)
    early = Trained.of(run, iterations=max(1, len(network.network.iterations) // 3))

    def smooth(measurement: Measured) -> torch.Tensor:
        return wavelet(measurement, 6 * WAVELET.weight(measurement, None))

    return {
        "CG-SENSE": Classical("cg-sense", CLASSICAL["cg-sense"]),
        "wavelets": Classical("wavelet", CLASSICAL["wavelet"]),
        "smooth wavelets": Classical("smooth", smooth),
        NETWORK: network,
        "network, stopped early": early,
    }


def families(seed: int) -> Iterator[tuple[str, Callable[[int, float], Prepared]]]:
    """Makers of slices from a number of coils and a signal-to-noise ratio."""

    def heads(coils: int, snr: float, oversized: float = 0.0) -> Prepared:
        scan = simulate_scan(SIZE, coils, 1, snr, seed, 2, f"head-{seed}", oversized=oversized)
        return Prepared(scan, Settings())

    def of_image(name: str, image: np.ndarray, coils: int, snr: float) -> Prepared:
        volume = Volume(image[None, None].astype(np.complex64), (1.0,) * 3, np.eye(4), name=name)
        scan = simulate_from_image(volume, SIZE, coils, snr, seed, oversampling=2)
        return Prepared(scan, Settings())

    yield "heads", heads
    yield "heads beyond the field of view", lambda coils, snr: heads(coils, snr, 1.0)
    yield "1/k", lambda coils, snr: of_image(f"rough-{seed}", rough(seed), coils, snr)
    yield "boxes", lambda coils, snr: of_image(f"boxes-{seed}", boxes(seed), coils, snr)


def _grid() -> tuple[int, np.ndarray, np.ndarray]:
    size = 2 * SIZE[0]
    y, x = np.meshgrid(*[np.linspace(-1, 1, size)] * 2, indexing="ij")
    return size, y, x


def rough(seed: int) -> np.ndarray:
    """Its spectrum falls by 1 / |k|, as that of photographs, within an ellipse."""
    rng, (size, y, x) = np.random.default_rng(seed), _grid()
    k = np.hypot(*np.meshgrid(*[np.fft.fftfreq(size)] * 2)) + 1 / size
    spectrum = (rng.standard_normal((size, size)) + 1j * rng.standard_normal((size, size))) / k
    image: np.ndarray = np.abs(np.fft.ifft2(spectrum)) * ((y / 0.8) ** 2 + (x / 0.9) ** 2 < 1)
    return image


def boxes(seed: int) -> np.ndarray:
    """Upright boxes of many sizes and contrasts within an ellipse."""
    rng, (_, y, x) = np.random.default_rng(seed), _grid()
    inside = (y / 0.85) ** 2 + (x / 0.75) ** 2 < 1
    image = 0.6 * inside
    for _ in range(14):
        (row, column), (height, width) = rng.uniform(-0.6, 0.6, 2), rng.uniform(0.03, 0.3, 2)
        box = (abs(y - row) < height) & (abs(x - column) < width) & inside
        image += rng.uniform(-0.4, 0.5) * box
    return np.clip(image, 0, None)


def outcomes(
    methods: Mapping[str, Reconstructor],
    examples: Sequence[tuple[str, Example]],
    masks: Sequence[MaskRecipe] = MASKS,
) -> Iterator[Outcome]:
    """Of each scan with each mask."""
    for name, example in examples:
        for mask in masks:
            (batch,) = every_slice([example], mask)
            assert batch.target is not None
            start = time.perf_counter()
            psnr = {
                title: float(psnr_complex(method(batch.measurement), batch.target))
                for title, method in methods.items()
            }
            middle = time.perf_counter()
            found = check(methods, example, mask)
            seconds = (time.perf_counter() - middle) / (middle - start)
            said = ", ".join(
                f"{title} {psnr[title]:.2f} dB ({found[title].error.value:.3f})" for title in psnr
            )
            print(f"{name}, {mask.kind}: {said}", flush=True)
            yield Outcome(name, mask.kind, psnr, found, seconds)


def right(found: Sequence[Outcome]) -> tuple[float, int]:
    """The share of pairs in the right order, and how many there are."""
    pairs = [one for outcome in found for one in outcome.pairs()]
    return statistics.fmean(pairs), len(pairs)


def false_alarms(found: Sequence[Outcome]) -> float:
    """Share of scans that the network is told not to suit, of those where it beats wavelets."""
    better = [one for one in found if one.psnr[NETWORK] > one.psnr["wavelets"]]
    told = [f"{NETWORK} does not suit" in one.check.verdict for one in better]
    return statistics.fmean(told) if told else 0.0


def best_less_oracle(one: Outcome) -> float:
    """dB lost where the check chooses between wavelets and a network, which is taken by default."""
    ratio = one.check.ratio(NETWORK, "wavelets").value if one.check.best else 0.0
    return one.psnr[NETWORK if ratio < 1 else "wavelets"] - max(
        one.psnr[name] for name in (NETWORK, "wavelets")
    )


def chosen_by_half(one: Outcome) -> bool:
    """Whether what every second draw ranks first, the others rank first too."""
    halves = [
        jackknifed(
            one.check[NETWORK].squares[half::2], one.check["wavelets"].squares[half::2]
        ).value
        for half in (0, 1)
    ]
    return (halves[0] < 1) == (halves[1] < 1)


def run(network: Path, data: Path | None, first: int) -> Figures:
    """Measure, on simulated scans of this seed and those after it; figures by name."""
    methods = methods_of(network)
    coils, simulated = 4, list[tuple[str, Example]]()
    for number, snr in enumerate(RATIOS):
        for name, make in families(first + number):
            simulated.append((f"{name}, SNR {snr:g}", make(coils, snr)))
            coils = 4 + (coils - 2) % 6
    found = list(outcomes(methods, simulated))
    heads = [
        (
            f"head {seed}",
            dict(families(first + 100 + seed))["heads"](4 + seed % 5, RATIOS[seed % 2]),
        )
        for seed in range(MATCHED)
    ]
    at_home = list(outcomes({n: methods[n] for n in (NETWORK, "wavelets")}, heads, MASKS[:1]))
    share, pairs = right(found)
    values: dict[str, tuple[float, str]] = {
        "order_right": (share, "share"),
        "pairs": (pairs, "pairs"),
        "told": (statistics.fmean(one.check.best is not None for one in found), "share"),
        "false_alarms": (false_alarms(at_home), "share"),
        "best_minus_oracle_db_mean": (statistics.fmean(map(best_less_oracle, found)), "dB"),
        "best_minus_oracle_db_worst": (min(map(best_less_oracle, found)), "dB"),
        "best_confirmed": (statistics.fmean(map(chosen_by_half, found)), "share"),
        "time_over_images": (statistics.median(one.seconds for one in found), "×"),
    }
    if data is not None:
        real = list(outcomes(methods, [(one.header.name, one) for one in brains(data)]))
        share, pairs = right(real)
        values |= {
            "order_right_brains": (share, "share"),
            "pairs_brains": (pairs, "pairs"),
            "best_minus_oracle_db_worst_brains": (min(map(best_less_oracle, real)), "dB"),
        }
    command = f"check --run RUN --seed {first}" + (" --data FOLDER" if data else "")
    return {f"check.{name}": figure(*value, command) for name, value in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="a network of simulated heads")
    parser.add_argument("--data", type=Path, help="folder of the real scans")
    parser.add_argument("--seed", type=int, default=7000, help="of the simulated scans")
    a = parser.parse_args()
    figures = run(a.run, a.data, a.seed)
    show(figures)
    keep(figures)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
