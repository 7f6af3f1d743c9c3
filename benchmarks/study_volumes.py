"""The study's tables and keys of volumes and series, from what `gleam compare` left.

    gleam compare recipes/study/volume.yaml --out study/3d/compared
    gleam compare recipes/study/cine.yaml --out study/cine/compared
    python -m benchmarks.study_volumes --volume study/3d/compared --cine study/cine/compared

writes benchmarks/results/study_volumes.md, and the keys `quality.…_3d…` and `quality.…_cine…` into
benchmarks/results/latest.json.
"""

import argparse
import json
from pathlib import Path

import torch

from benchmarks.measure import LATEST, Figures, hardware, keep, show
from benchmarks.study import Summary, psnr, table
from gleam.files import replacing

RESULTS = LATEST.with_name("study_volumes.md")
RIVALS = {
    "greedy_minus_end_to_end_equal_memory": ("shallow", "narrow"),
    "greedy_minus_end_to_end_equal_activations": ("shallow", "narrow, of width 5"),
    "greedy_minus_end_to_end_equal_memory_equal_time": ("shallow, as long", "narrow, as long"),
    "greedy_minus_checkpoint_equal_memory_equal_time": ("checkpoint",),
}


def keys(summary: Summary, kind: str) -> Figures:
    """How far greedy training is above the best of its rivals, on each test set."""
    figures: Figures = {}
    for name, rivals in RIVALS.items():
        for test, scores in summary["scores"].items():
            if not scores.keys() >= set(rivals):
                continue  # that comparison does not have it
            best = max(psnr(summary, test, rival) for rival in rivals)
            suffix = "" if test == "simulated" else "_" + test.replace(" ", "_")
            figures[f"quality.{name}_{kind}{suffix}_db"] = {
                "value": round(psnr(summary, test, "greedy") - best, 2),
                "unit": "dB",
                "command": "python -m benchmarks.study_volumes --volume … --cine …",
                "hardware": hardware(),
            }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--volume", type=Path, required=True, help="folder of the comparison")
    parser.add_argument("--cine", type=Path, required=True, help="folder of the comparison")
    a = parser.parse_args()
    torch.set_num_threads(1)  # as the networks were trained
    summaries = {
        "3d": json.loads((a.volume / "summary.json").read_text()),
        "cine": json.loads((a.cine / "summary.json").read_text()),
    }
    figures: Figures = {}
    text = ""
    for kind, summary in summaries.items():
        figures |= keys(summary, kind)
        text += f"# {kind}\n\n{table(summary)}\n\n"
    show(figures)
    with replacing(RESULTS) as temporary:
        temporary.write_text(text.rstrip() + "\n")
    keep(figures)


if __name__ == "__main__":
    main()
