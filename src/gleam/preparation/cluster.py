"""Preparing many scans on a Dask cluster. Needs `distributed` (the extra `dask`).

Paths and settings travel; k-space and examples stay in files, which every worker reaches under the
same absolute paths. Dask sends pickled Python between the machines: whoever can reach a scheduler
or a worker can run code on it, so the cluster, and the network between its machines, must be the
user's own.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from gleam.errors import BadInput, Stopped
from gleam.preparation.jobs import Outcome, prepare_one
from gleam.preparation.prepare import Settings
from gleam.terminal import warn
from gleam.words import not_installed

PATIENCE = 30.0
"""Seconds in which a scheduler must answer."""


def prepare_on(
    address: str, sources: Sequence[Path], out: Path, settings: Settings, force: bool = False
) -> Iterator[Outcome]:
    """Prepare each scan as `gleam.preparation.jobs.prepare` does, on a cluster.

    Args:
        address: of the scheduler, host:port; anything `distributed.Client` takes.
        sources, out, settings, force: as there. How much memory a worker may take is the cluster's
            affair.

    Raises:
        BadInput: `distributed` is not installed, or nothing answers at the address.
        Stopped: the cluster went away, or the disk is full.
    """
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise BadInput(f"--dask {not_installed('distributed', 'dask')}") from error
    try:
        workers = asyncio.run(_workers(distributed, address))
    except Exception as error:  # whatever listens there may answer anything
        what = str(error) or f"nothing in {PATIENCE:g} s"
        raise BadInput(f"{address}: no Dask scheduler answers there ({what})") from error
    if not workers:
        warn(address, ["the cluster has no worker yet; nothing is prepared before one joins"])
    goal = out.resolve()
    with distributed.Client(address, set_as_default=False, timeout=PATIENCE) as client:
        jobs = {
            client.submit(prepare_one, source.resolve(), goal, settings, force, pure=False): source
            for source in sources
        }
        for job in distributed.as_completed(jobs, loop=client.loop):
            yield from _outcomes(jobs[job], job)


async def _workers(distributed: Any, address: str) -> int:
    """Number of workers of the scheduler; raises whatever goes wrong.

    A client that runs in this thread is given up after a while and closed. One with a thread of its
    own reads the first answer for as long as it takes, and if it fails it is left to the garbage
    collector, in whose hands it can lock up.
    """
    client = distributed.Client(address, set_as_default=False, asynchronous=True, timeout=PATIENCE)
    try:
        await asyncio.wait_for(client, PATIENCE)
        return len(client.scheduler_info()["workers"])
    finally:
        await client.close()


def _outcomes(source: Path, job: Any) -> list[Outcome]:
    if job.status == "finished":
        return [replace(outcome, source=source) for outcome in job.result()]
    if job.status == "error" and isinstance(job.exception(), Stopped):
        raise job.exception()
    if job.status == "error":  # of the cluster: workers that died, or lack this program
        what = str(job.exception()).partition("\n")[0]
        return [Outcome(source, "skipped", f"failed on the cluster ({what})")]
    raise Stopped("the Dask cluster went away; run the same command again, what is done is kept")
