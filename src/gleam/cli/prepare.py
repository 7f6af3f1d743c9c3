"""gleam prepare: scans to example files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from gleam.cli.arguments import LayoutArguments, amount, parse
from gleam.cli.outcomes import report
from gleam.data import jobs
from gleam.data.cluster import prepare_on
from gleam.data.manifest import recorded
from gleam.data.noise_file import checked_noise
from gleam.data.prepare import Settings
from gleam.data.split import divide, shares, subjects
from gleam.errors import BadInput
from gleam.files import make_folder
from gleam.formats import read_scans, scan_file
from gleam.terminal import followed


@dataclass(frozen=True)
class Arguments:
    """Make an example file of every scan: sensitivity maps, target, one intensity scale.

    A file that holds several scans (stacks, orientations, slabs) gives an example for each.
    What was prepared before with the same settings is kept. A scan that cannot be used is named
    at the end, with the reason, and stops nothing. manifest.jsonl beside the examples says what
    became of each scan.

    Example: gleam prepare scans/train prepared/train --workers 2
    """

    inputs: tyro.conf.Positional[tuple[Path, ...]]
    """Scan files (.h5, .mrd, .dat, .cfl, .mat, .npy) or folders of them; then, last, the folder the
    examples go to."""
    calibration: int | None = None
    """Lines kept along each phase-encoding axis; by default 8 %, at least 10. 0 for a series whose
    masks are to keep none: its maps come from the average over time."""
    sets: int = 1
    """Sensitivity map sets; 2 where the object is larger than the field of view."""
    coils: int | None = None
    """Compress to so many virtual coils."""
    reference: Path | None = None
    """Scan file to calibrate coils from, of the same coils and place; for scans whose own centre of
    k-space was not sampled in full."""
    noise: Path | None = None
    """Noise of the same coils and bandwidth, to whiten them with instead of the scan's own, to a
    standard deviation of 1: an array (coil, samples), .npy, .cfl or .mat, or a scan file, of which
    its noise scan is taken, or else all samples."""
    group: str | None = None
    """Which measurement of a file that holds several: dataset_1, say, of ISMRMRD, or 1 of twix; by
    default the last."""
    array: Annotated[LayoutArguments, tyro.conf.arg(name="")] = field(
        default_factory=LayoutArguments
    )
    split: str | None = None
    """80/10/10, say: divide the scans by subject, so many percent into OUT/train, OUT/validation
    and OUT/test; folders are then searched with all that is below them."""
    subject: str | None = None
    """Regular expression that finds the subject in a scan's path, with --split: 'sub-(\\d+)', say.
    By default the folder below the one given; or else every file is a subject."""
    seed: int = 0
    """Of --split: another one divides the subjects otherwise."""
    workers: int = 1
    """Processes."""
    memory: str | None = None
    """What each of them may take, 4GiB say; a scan that needs more is skipped. By default an equal
    share of the machine's memory. Linux only."""
    dask: str | None = None
    """Address of a Dask scheduler you trust, host:port, to work there instead; its workers must
    reach the files under the same paths."""
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace examples that are there and were made of another file, with other settings or by
    another version."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print what became of each scan as JSON."""


_LEAST = 2**29  # half of which the libraries take


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    a = parse(Arguments, "prepare", arguments)
    if len(a.inputs) < 2:
        raise BadInput("prepare: give scans (or a folder of them), then the folder to write to")
    *inputs, out = a.inputs
    if a.workers < 1 or a.sets not in (1, 2) or (a.coils is not None and a.coils < 1):
        raise BadInput("prepare: --workers and --coils are 1 or more, --sets is 1 or 2")
    if a.dask is not None and (a.workers != 1 or a.memory is not None):
        raise BadInput("prepare: with --dask, the cluster says how many workers and what memory")
    memory = None if a.memory is None else amount(a.memory, "prepare: --memory", _LEAST)
    folders = _folders(a, inputs, out)
    for folder, scans in folders.items():
        for scan in scans:
            if scan.resolve() == (folder / f"{scan.stem}.h5").resolve():
                raise BadInput(f"{scan}: is no example file; give another folder for the examples")
    reference = None if a.reference is None else scan_file(a.reference).resolve()
    if reference is not None:
        read_scans(reference, a.array.layout)  # what is wrong with it is said once
    noise = checked_noise(a.noise, a.array.layout)
    settings = Settings(a.calibration, a.sets, a.coils, a.array.layout, reference, a.group, noise)
    done: dict[Path, list[jobs.Outcome]] = {}
    for folder, scans in folders.items():
        make_folder(folder)
        if a.dask is None:
            work = jobs.prepare(scans, folder, settings, a.workers, memory, a.force)
        else:
            work = prepare_on(a.dask, scans, folder, settings, a.force)
        done[folder] = [*followed(recorded(work, folder), f"preparing {folder.name}", len(scans))]
    report(done, out, ("prepared", "kept", "skipped"), a.json)


def _folders(a: Arguments, inputs: Sequence[Path], out: Path) -> dict[Path, list[Path]]:
    """The scans that go into each folder."""
    if a.split is None:
        if a.subject is not None or a.seed:
            raise BadInput("prepare: --subject and --seed are for --split")
        return {out: jobs.find_scans(inputs)}
    parts = shares(a.split)
    divided = divide(subjects(inputs, out, a.subject), parts, a.seed, out)
    return {out / side: jobs.find_scans(own) for side, own in divided.items()}
