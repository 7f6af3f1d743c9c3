"""A folder of simulated scans."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import torch

from gleam.errors import BadInput
from gleam.files import check_new
from gleam.formats import Scan, write_scan
from gleam.processes import settle
from gleam.terminal import followed


def simulate(
    out: Path,
    scans: int,
    draw: Callable[..., Scan],
    seed: int,
    format: Literal["h5", "cfl"] = "h5",
    workers: int = 1,
    name: str = "scan",
    force: bool = False,
) -> list[Path]:
    """Write `scans` simulated scans to `out`/NAME-0000.h5 and so on; return their paths in order.

    Scan i depends on the seed and i alone, not on how many scans or workers there are.

    Args:
        out: folder; made when missing.
        scans: how many, at least 1.
        draw: what makes each of `seed`, `oversampling` and `name`: `simulate_scan` with all else
            given, say. Workers get it pickled.
        seed: of the whole set.
        format: file format, as the suffix says it. "h5" (fastMRI's layout) holds static 2D scans;
            "cfl" (BART) volumes and series too, without readout oversampling.
        workers: processes that share the scans.
        name: what the files' names begin with.
        force: replace what is there.

    Raises:
        BadInput: a scan that cannot be simulated, or a file that is there already.
    """
    if scans < 1 or workers < 1:
        raise BadInput(f"simulate: {scans} scans by {workers} workers; use 1 or more of each")
    paths = [out / f"{name}-{index:04d}.{format}" for index in range(scans)]
    for path in paths:
        check_new(path, force)
    write = partial(_write, draw, seed)
    with ExitStack() as stack:
        if workers == 1:
            written: Iterator[None] = map(write, range(scans), paths)
        else:  # spawned, as forking a process that holds threads (torch) is unsafe
            pool = ProcessPoolExecutor(min(workers, scans), get_context("spawn"), _settle)
            written = stack.enter_context(pool).map(write, range(scans), paths)
        for _ in followed(written, "simulating", scans):
            pass
    return paths


def _settle() -> None:
    """Begin a process: Ctrl-C is for its parent, and it has one thread."""
    settle(None)
    torch.set_num_threads(1)


def _write(draw: Callable[..., Scan], seed: int, index: int, path: Path) -> None:
    oversampling = 1 if path.suffix == ".cfl" else 2  # a .cfl file cannot say how much to crop
    write_scan(draw(seed=(seed, index), oversampling=oversampling, name=path.stem), path)
