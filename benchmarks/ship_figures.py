"""What the model card of gleam-2d says was measured, and how it was made.

    python -m benchmarks.ship_figures --work FOLDER --data FOLDER

writes benchmarks/results/gleam_2d.json, of which `python -m benchmarks.ship` makes the card
(`--figures`). Outcomes on the real scans are those of `benchmarks.adaptation` in the work folder,
found now if they are not there; simulated slices are those of `benchmarks.check`.
"""

import argparse
import json
import re
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from benchmarks.adaptation import GREEDY, MASKS, real_examples
from benchmarks.adaptation_outcome import USUAL, remembered
from benchmarks.check import MASKS as SIMULATED
from benchmarks.check import RATIOS, families
from gleam.data.loader import every_slice
from gleam.files import replacing
from gleam.metrics import psnr_complex
from gleam.physics.compressed_sensing import wavelet
from gleam.recipe import MaskRecipe
from gleam.reconstruction.reconstructor import Trained
from gleam.runs.adaptation import LENGTH

NAME = "gleam-2d"
ROOT = Path(__file__).parents[1]
RECIPE = Path("recipes") / f"{NAME}.yaml"
OUT = ROOT / "benchmarks" / "results" / "gleam_2d.json"
SEED = 8000  # that chose nothing


def commands() -> list[str]:
    """The commands that made the network, as its recipe says them."""
    return re.findall(r"gleam (?:simulate|prepare|train) .*", (ROOT / RECIPE).read_text("utf-8"))


def adapted(work: Path, data: Path) -> dict[str, Any]:
    """A row for each real scan and mask."""
    rows = []
    for mask in MASKS:
        for example in real_examples(Path(NAME), data, work):
            one = remembered(work, Path(NAME), example, mask, GREEDY)
            scan = one.scan if len(example.shape) == 5 else f"{one.scan}, a volume"
            values = (round(value, 2) for value in (one.wavelet, one.before, one.chosen))
            rows.append([scan, words(mask), *values, round(one.seconds)])
    command = f"python -m benchmarks.adaptation --work FOLDER --data FOLDER --start {NAME}"
    return {
        "title": f"Real scans, adapted for {USUAL.steps or LENGTH} steps each: complex PSNR in dB",
        "command": command,
        "columns": [
            *("scan", "mask", "wavelets", "unadapted", "adapted"),
            "seconds of one CPU core",
        ],
        "rows": rows,
    }


def simulated() -> dict[str, Any]:
    """A row for each family and signal-to-noise ratio; coils as in `benchmarks.check`."""
    network = Trained.of(Path(NAME))
    rows, coils = list[list[object]](), 4
    for number, snr in enumerate(RATIOS):
        for family, make in families(SEED + number):
            example = make(coils, snr)
            coils = 4 + (coils - 2) % 6
            means = []
            for method in (wavelet, network):
                batches = (next(every_slice([example], mask)) for mask in SIMULATED)
                found = [float(psnr_complex(method(b.measurement), b.target)) for b in batches]
                means.append(round(fmean(found), 2))
            rows.append([family, round(snr), *means])
    masks = ", ".join(words(mask) for mask in SIMULATED)
    return {
        "title": "Simulated slices of four families, unadapted: complex PSNR in dB, mean over "
        f"{len(SIMULATED)} masks ({masks})",
        "command": "python -m benchmarks.ship_figures --work FOLDER --data FOLDER",
        "columns": ["family", "signal-to-noise ratio", "wavelets", NAME],
        "rows": rows,
    }


def words(mask: MaskRecipe) -> str:
    """A mask in words."""
    return f"{mask.acceleration:g}× {mask.kind}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of data and outcomes")
    parser.add_argument("--data", type=Path, required=True, help="folder of the real scans")
    a = parser.parse_args()
    figures = {
        "recipe": str(RECIPE),
        "commands": commands(),
        "tables": [adapted(a.work, a.data), simulated()],
    }
    with replacing(OUT) as temporary:
        temporary.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
