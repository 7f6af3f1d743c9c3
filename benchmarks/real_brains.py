"""Networks trained on simulated data alone, on real brains they never saw.

Rivals are zero filling, CG-SENSE and BART's wavelet compressed sensing (`bart pics -l1`), all from
the same k-space and maps. What a rival leaves free is chosen on simulated validation scans, as the
networks' weights were; the brains choose nothing. One row is an upper bound instead: "wavelet,
oracle" takes the weight that is best for each brain.

    python -m benchmarks.real_brains --equispaced RUN --poisson RUN --data FOLDER \\
        --validation FOLDER --out FOLDER

A run is the folder of `gleam train`; its mask is the one that is tested. Written are results.md,
results.json, and for each mask report.html, tables, and a picture per brain with errors × 5.
"""

import argparse
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize
from matplotlib.figure import Figure

from benchmarks.bart import Case, check_conventions, in_turn, mean_psnr, undersample, wavelet
from benchmarks.brains import brains
from gleam.cli import main as gleam
from gleam.data.example import Example, find
from gleam.evaluation import examples as pictures
from gleam.evaluation.evaluate import Method, evaluate
from gleam.evaluation.pictures import window
from gleam.evaluation.report import write_report
from gleam.evaluation.runs import summary_of
from gleam.evaluation.tables import write_tables
from gleam.reconstruction.baselines import cg_sense, zero_filled
from gleam.training.run import load_run, read_summary

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
        name: study(folder, real, simulated, a.out / name)
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
