"""A folder of simulated scans."""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

from rich.progress import Progress

from gleam.errors import BadInput
from gleam.formats import write_scan
from gleam.simulation.scan import simulate_scan
from gleam.terminal import console


def simulate(
    out: Path,
    scans: int,
    slices: int,
    shape: tuple[int, ...],
    coils: int | tuple[int, int],
    snr: float | tuple[float, float],
    seed: int,
    format: Literal["h5", "cfl"] = "h5",
    workers: int = 1,
    name: str = "scan",
) -> list[Path]:
    """Write `scans` simulated scans to `out`/NAME-0000.h5 and so on; return their paths in order.

    Scan i depends on the seed and i alone, not on how many scans or workers there are. What the
    other arguments mean: `simulate_scan`.

    Args:
        out: folder; made when missing.
        scans: how many, at least 1.
        slices: per scan.
        shape: voxels, `y x` or `z y x`.
        coils: how many, or (lowest, highest) drawn per scan.
        snr: signal-to-noise ratio, or (lowest, highest) drawn per scan.
        seed: of the whole set.
        format: file format, as the suffix says it. "h5" (fastMRI's layout) holds 2D scans; "cfl"
            (BART) 2D and 3D, without readout oversampling.
        workers: processes that share the scans.
        name: what the files' names begin with.

    Raises:
        BadInput: an argument that cannot be simulated, or a file that is there already.
    """
    if scans < 1 or workers < 1:
        raise BadInput(f"simulation: {scans} scans by {workers} workers; use 1 or more of each")
    paths = [out / f"{name}-{index:04d}.{format}" for index in range(scans)]
    for path in paths:
        if path.exists():
            raise BadInput(f"{path}: exists; choose another folder")
    write = partial(_write, shape, coils, slices, snr, seed)
    began = time.monotonic()
    with ExitStack() as stack:
        progress = Progress(console=console, transient=True, disable=not console.is_terminal)
        stack.callback(progress.stop)
        task = progress.add_task("Simulating", total=scans)
        if workers == 1:
            written: Iterator[None] = map(write, range(scans), paths)
        else:  # spawned, as forking a process that holds threads (torch) is unsafe
            pool = ProcessPoolExecutor(min(workers, scans), get_context("spawn"))
            written = stack.enter_context(pool).map(write, range(scans), paths)
        for _ in written:
            progress.advance(task)
            if time.monotonic() - began > 2:
                progress.start()
    return paths


def _write(
    shape: tuple[int, ...],
    coils: int | tuple[int, int],
    slices: int,
    snr: float | tuple[float, float],
    seed: int,
    index: int,
    path: Path,
) -> None:
    oversampling = 1 if path.suffix == ".cfl" else 2  # a .cfl file cannot say how much to crop
    scan = simulate_scan(shape, coils, slices, snr, (seed, index), oversampling, path.stem)
    write_scan(scan, path)
