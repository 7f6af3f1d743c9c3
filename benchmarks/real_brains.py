"""Networks trained on simulated data alone, on real brains they never saw.

Rivals: see `benchmarks.real_study`; compressed sensing is BART's with wavelets (`bart pics -l1`).

    python -m benchmarks.real_brains --equispaced RUN --poisson RUN --data FOLDER \\
        --validation FOLDER --out FOLDER

A run is the folder of `gleam train`; its mask is the one that is tested. Written are results.md,
results.json, and for each mask report.html, tables, and a picture per brain with errors × 5.
"""

import argparse
import json
from pathlib import Path

from benchmarks.bart import wavelet
from benchmarks.brains import brains
from benchmarks.real_study import Rival, study, table
from gleam.cli import main as gleam
from gleam.data.example import find


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--equispaced", type=Path, required=True, help="run with a 1-D mask")
    parser.add_argument("--poisson", type=Path, required=True, help="run with a 2-D mask")
    parser.add_argument("--data", type=Path, required=True, help="folder of the real scans")
    parser.add_argument("--validation", type=Path, required=True, help="simulated, prepared")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    a = parser.parse_args()

    real, simulated = brains(a.data), find(a.validation, 1)
    results = {
        name: study(folder, real, simulated, Rival("wavelet", wavelet), "Real brains", a.out / name)
        for name, folder in {"equispaced": a.equispaced, "poisson": a.poisson}.items()
    }
    (a.out / "results.json").write_text(json.dumps(results, indent=2))
    (a.out / "results.md").write_text(table(results))
    print(table(results))
    # Undersampled when they were scanned: nothing to measure against, only to look at.
    for scanned in ("brain8ch_espirit_und2x2.cfl", "brain8ch_poisson_us_sigpy.npy"):
        for method in ("zero-filled", "cg-sense", str(a.poisson)):
            picture = a.out / f"{Path(scanned).stem}-{Path(method).name}.png"
            gleam(["reconstruct", method, str(a.data / scanned), "-o", str(picture)])


if __name__ == "__main__":
    main()
