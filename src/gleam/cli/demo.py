"""gleam demo: the whole way on simulated data, verb by verb, as one would type it."""

import csv
import shlex
import shutil
from collections import defaultdict
from operator import lt, sub
from pathlib import Path
from statistics import fmean

import torch

from gleam.cli import perform
from gleam.cli.options.demo import Arguments
from gleam.errors import BadInput
from gleam.files import check_new, make_folder
from gleam.physics.classical import TITLES
from gleam.threads import cores

MARK = ".made-by-gleam-demo"
SETS = {"train": (40, 4, 1), "validation": (4, 2, 2), "test": (8, 2, 3)}  # scans, slices, seed
SCANS = ["--shape", "64", "64", "--coils", "6", "8", "--snr", "30", "200", "--oversized", "0"]
MINUTES = 0.6  # of training, each network


def main(a: Arguments) -> None:
    """Run the verb."""
    out = a.out
    _make_room(out, a.force)
    torch.set_num_threads(1)  # two would spend their time waiting for each other on images so small
    for command in commands(out):
        print(f"\n$ gleam {shlex.join(command)}", flush=True)
        verb, *rest = command
        perform(verb, rest)
    print(_outcome(out / "report" / "metrics.csv"))


def commands(out: Path) -> list[list[str]]:
    """The commands that the demo runs, in order."""
    workers = str(cores())
    steps: list[list[str]] = []
    for name, (scans, slices, seed) in SETS.items():
        raw, ready = str(out / "scans" / name), str(out / "prepared" / name)
        size = ["--scans", str(scans), "--slices", str(slices), "--seed", str(seed)]
        steps += [
            ["simulate", raw, *size, *SCANS, "--workers", workers],
            ["prepare", raw, ready, "--workers", workers],
        ]
    data = ["--data.train", str(out / "prepared/train")]
    data += ["--data.validation", str(out / "prepared/validation")]
    learning = ["--training.minutes", str(MINUTES), "--training.validate-every", "1000"]
    learning += ["--training.learning-rate", "3e-3", "--training.warmup", "20"]
    for name, iterations, modules in (("end-to-end", "2", "1"), ("greedy", "8", "8")):
        scheme = ["--network.iterations", iterations, "--training.modules", modules]
        steps.append(["train", "--out", str(out / "runs" / name), *data, *scheme, *learning])
    runs = [str(out / "runs/end-to-end"), str(out / "runs/greedy")]
    scan = str(out / "scans/test/scan-0000.h5")
    picture = ["-o", str(out / "scan-0000.png"), "--acceleration", "4"]
    steps.append(["reconstruct", runs[1], scan, *picture])
    test = ["--data", str(out / "prepared/test"), "--out", str(out / "report")]
    return [*steps, ["evaluate", *runs, *test]]


def _make_room(out: Path, force: bool) -> None:
    if out.exists():
        if not (out / MARK).is_file():
            raise BadInput(f"{out}: exists and is not an earlier demo; choose another with --out")
        check_new(out, force)
        shutil.rmtree(out)
    make_folder(out)
    (out / MARK).touch()


def _outcome(scores: Path) -> str:
    """The gain of the greedy network, by the scores of every slice."""
    psnr: dict[str, list[float]] = defaultdict(list)
    with scores.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            psnr[row["method"]].append(float(row["psnr_complex"]))
    gain = fmean(map(sub, psnr["greedy"], psnr[TITLES["cg-sense"]]))
    below = sum(map(lt, psnr["greedy"], psnr["zero-filled"]))
    return (
        f"greedy: {abs(gain):.1f} dB {'above' if gain >= 0 else 'below'} CG-SENSE on average, "
        f"below zero filling on {below or 'no'} slice{'s' * (below > 1)}"
    )
