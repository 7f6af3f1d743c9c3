"""A network trained on simulated anatomy alone, on a real volume or series with simulated coils.

    gleam simulate real/volume --from brain_T1_colin27_ch2.nii.gz --shape 96 96 64 --coils 6 6
    gleam prepare real/volume real/prepared/volume
    python -m benchmarks.real_images --run RUN --real real/prepared/volume --rival wavelet \\
        --validation prepared/validation --title "Real brain volume" --out results/volume

The rival of a volume is BART's wavelet compressed sensing, that of a series BART's total variation
in time (`--rival variation`); see `benchmarks.real_study`. Written are results.md, results.json,
report.html, tables and a picture.
"""

import argparse
import json
from pathlib import Path

from benchmarks.bart import temporal_variation, wavelet
from benchmarks.real_study import Rival, study, table
from gleam.data.example import find

RIVALS = {
    "wavelet": Rival("wavelet", wavelet),
    "variation": Rival("total variation in time", temporal_variation),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="of the network")
    parser.add_argument("--real", type=Path, required=True, help="prepared, to test on")
    parser.add_argument("--validation", type=Path, required=True, help="simulated, prepared")
    parser.add_argument("--rival", choices=RIVALS, required=True, help="compressed sensing")
    parser.add_argument("--title", required=True, help="of pictures and report")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    a = parser.parse_args()
    real, simulated = find(a.real, 1), find(a.validation, 1)
    results = {a.title: study(a.run, real, simulated, RIVALS[a.rival], a.title, a.out)}
    (a.out / "results.json").write_text(json.dumps(results, indent=2))
    (a.out / "results.md").write_text(table(results))
    print(table(results))


if __name__ == "__main__":
    main()
