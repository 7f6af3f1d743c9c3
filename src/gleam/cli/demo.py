"""gleam demo: the whole way on simulated data, verb by verb, as one would type it."""

import importlib
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from gleam.cli.arguments import parse
from gleam.errors import BadInput
from gleam.files import check_new, make_folder
from gleam.threads import cores

MARK = ".made-by-gleam-demo"
SETS = {"train": (40, 4, 1), "validation": (4, 2, 2), "test": (8, 2, 3)}  # scans, slices, seed
STEPS = 500


@dataclass(frozen=True)
class Arguments:
    """Simulate scans, prepare them, train end-to-end and greedily at equal memory, compare.

    End-to-end, the memory holds two iterations; greedily, eight take no more of it. Takes under
    three minutes on two cores.

    Example: gleam demo --out demo
    """

    out: Path = Path("demo")
    """Folder for everything."""
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace an earlier demo that is there."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    a = parse(Arguments, "demo", arguments)
    out = a.out
    _make_room(out, a.force)
    for command in commands(out):
        print(f"\n$ gleam {shlex.join(command)}", flush=True)
        verb, *rest = command
        importlib.import_module(f"gleam.cli.{verb}").main(rest)


def commands(out: Path) -> list[list[str]]:
    """What is run, in order."""
    workers = str(cores())
    steps: list[list[str]] = []
    for name, (scans, slices, seed) in SETS.items():
        raw, ready = str(out / "scans" / name), str(out / "prepared" / name)
        size = ["--scans", str(scans), "--slices", str(slices), "--seed", str(seed)]
        shape = ["--shape", "80", "80", "--coils", "4", "6", "--workers", workers]
        steps += [["simulate", raw, *size, *shape], ["prepare", raw, ready, "--workers", workers]]
    data = ["--data.train", str(out / "prepared/train")]
    data += ["--data.validation", str(out / "prepared/validation")]
    length = ["--training.steps", str(STEPS), "--training.validate-every", str(STEPS // 2)]
    for name, iterations, modules in (("end-to-end", "2", "1"), ("greedy", "8", "8")):
        scheme = ["--network.iterations", iterations, "--training.modules", modules]
        steps.append(["train", "--out", str(out / "runs" / name), *data, *scheme, *length])
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
