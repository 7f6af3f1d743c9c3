"""Preparing many scans on a Dask cluster. Needs `distributed` (the extra `dask`).

Paths and settings travel; k-space and examples stay in files, which every worker reaches under the
same absolute paths. Dask sends pickled Python between the machines: whoever can reach a scheduler
or a worker can run code on it, so the cluster, and the network between its machines, must be the
user's own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from gleam.data.jobs import Outcome, prepare_one
from gleam.data.prepare import Settings
from gleam.errors import BadInput, Stopped


def prepare_on(
    address: str, sources: Sequence[Path], out: Path, settings: Settings
) -> Iterator[Outcome]:
    """Prepare each scan into `out`/NAME.h5, as `gleam.data.jobs.prepare` does, on a cluster.

    Args:
        address: of the scheduler, host:port; anything `distributed.Client` takes.
        sources, out, settings: as there. How much memory a worker may take is the cluster's affair.

    Raises:
        BadInput: `distributed` is not installed, or nothing answers at the address.
        Stopped: the cluster went away, or the disk is full.
    """
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise BadInput("--dask needs distributed; pip install 'gleam-mri[dask]'") from error
    try:
        client = distributed.Client(address, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BadInput(f"{address}: no Dask scheduler answers there ({error})") from error
    goal = out.resolve()
    with client:
        jobs = {
            client.submit(prepare_one, source.resolve(), goal, settings, pure=False): source
            for source in sources
        }
        for job in distributed.as_completed(jobs, loop=client.loop):
            yield _outcome(jobs[job], job)


def _outcome(source: Path, job: Any) -> Outcome:
    if job.status == "finished":
        outcome: Outcome = job.result()
        return replace(outcome, source=source)
    if job.status == "error" and isinstance(job.exception(), Stopped):
        raise job.exception()
    if job.status == "error":  # of the cluster: workers that died, or lack this program
        what = str(job.exception()).partition("\n")[0]
        return Outcome(source, "skipped", f"failed on the cluster ({what})")
    raise Stopped("the Dask cluster went away; run the same command again, what is done is kept")
