"""gleam prepare: scans to example files."""

from collections.abc import Sequence
from pathlib import Path

from gleam.amounts import bytes_of
from gleam.cli.options.prepare import Arguments
from gleam.cli.outcomes import report
from gleam.errors import BadInput
from gleam.files import make_folder
from gleam.formats import read_scans, scan_file
from gleam.preparation import jobs
from gleam.preparation.cluster import prepare_on
from gleam.preparation.manifest import recorded
from gleam.preparation.noise_file import checked_noise
from gleam.preparation.prepare import Settings
from gleam.preparation.split import divide, shares, subjects
from gleam.terminal import followed

_LEAST = 2**29  # for a few copies of a slice


def main(a: Arguments) -> None:
    """Run the verb."""
    if len(a.inputs) < 2:
        raise BadInput("prepare: give scans (or a folder of them), then the folder to write to")
    *inputs, out = a.inputs
    if a.workers < 1 or a.sets not in (1, 2) or (a.coils is not None and a.coils < 1):
        raise BadInput("prepare: --workers and --coils are 1 or more, --sets is 1 or 2")
    if a.dask is not None and (a.workers != 1 or a.memory is not None):
        raise BadInput("prepare: with --dask, the cluster says how many workers and what memory")
    memory = None if a.memory is None else bytes_of(a.memory, "prepare: --memory", _LEAST)
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
