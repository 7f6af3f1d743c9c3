"""gleam prepare: scans to example files."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from gleam.cli.arguments import parse
from gleam.data import jobs
from gleam.data.prepare import Settings
from gleam.errors import BadInput
from gleam.files import make_folder
from gleam.terminal import followed


@dataclass(frozen=True)
class Arguments:
    """Make an example file of every scan: sensitivity maps, target, one intensity scale.

    What was prepared before with the same settings is kept. A scan that cannot be used is named
    at the end, with the reason, and stops nothing.

    Example: gleam prepare scans/train prepared/train --workers 2
    """

    inputs: tyro.conf.Positional[tuple[Path, ...]]
    """Scan files (fastMRI .h5, BART .cfl, .npy) or folders of them; then, last, the folder the
    examples go to."""
    calibration: int | None = None
    """Lines kept along each phase-encoding axis; by default 8 %, at least 10."""
    sets: int = 1
    """Sensitivity map sets; 2 where the object is larger than the field of view."""
    coils: int | None = None
    """Compress to so many virtual coils."""
    workers: int = 1
    """Processes."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print what became of each scan as JSON."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    a = parse(Arguments, "prepare", arguments)
    if len(a.inputs) < 2:
        raise BadInput("prepare: give scans (or a folder of them), then the folder to write to")
    *inputs, out = a.inputs
    if a.workers < 1 or a.sets not in (1, 2) or (a.coils is not None and a.coils < 1):
        raise BadInput("prepare: --workers and --coils are 1 or more, --sets is 1 or 2")
    scans = jobs.find_scans(inputs)
    make_folder(out)
    work = jobs.prepare(scans, out, Settings(a.calibration, a.sets, a.coils), a.workers)
    outcomes = list(followed(work, "preparing", len(scans)))
    counts = {s: sum(o.status == s for o in outcomes) for s in ("prepared", "kept", "skipped")}
    skipped = [o for o in outcomes if o.status == "skipped"]
    if a.json:
        print(json.dumps([{**vars(o), "source": str(o.source)} for o in outcomes]))
    else:
        print(", ".join(f"{count} {status}" for status, count in counts.items()), f"in {out}")
        for outcome in sorted(skipped, key=lambda o: o.source):
            print(f"  skipped {outcome.source.name}: {outcome.reason}")
    if len(skipped) == len(outcomes):
        raise BadInput(f"{out}: none of the scans could be prepared ({skipped[0].reason})")
