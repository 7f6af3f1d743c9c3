"""Time of sigpy's `EspiritCalib` over that of our ESPIRiT, for one slice on one thread."""

import statistics
import time
from typing import Any

import numpy as np
import sigpy
import sigpy.mri.app
import torch

from gleam.physics.espirit import espirit

COILS, SIZE, BOX = 8, 96, 24
REPEATS = 7


def run() -> dict[str, dict[str, Any]]:
    """Measure; figures by name, as value, unit, command and hardware."""
    torch.set_num_threads(1)
    kspace = slice_kspace()
    low = SIZE // 2 - BOX // 2
    box = torch.from_numpy(kspace[:, low : low + BOX, low : low + BOX].copy())[None]

    def ours() -> None:
        espirit(box, (SIZE, SIZE))

    def theirs() -> None:
        sigpy.mri.app.EspiritCalib(kspace, calib_width=BOX, show_pbar=False).run()

    times: dict[Any, list[float]] = {ours: [], theirs: []}
    for _ in range(1 + REPEATS):
        for function, seconds in times.items():
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
    # The first call of each sets things up and does not count.
    fast, slow = (statistics.median(seconds[1:]) for seconds in times.values())
    return {
        "time.sigpy_espirit_over_ours": {
            "value": round(slow / fast, 1),
            "unit": "×",
            "command": "OMP_NUM_THREADS=1 python -m benchmarks.espirit",
            "hardware": "1 CPU thread",
        }
    }


def slice_kspace() -> np.ndarray:
    """K-space (coil, y, x) of a textured disc seen by coils on a ring, with a little noise."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    turns = 2 * np.pi * np.arange(COILS)[:, None, None] / COILS
    distance = (y - 1.3 * np.cos(turns)) ** 2 + (x - 1.3 * np.sin(turns)) ** 2
    disc = (y**2 + x**2 < 0.7) * (1 + 0.3 * random.random((SIZE, SIZE)))
    images = disc * np.exp(1j * turns) / (0.4 + distance)
    noise = 0.02 * (random.normal(size=(2, *images.shape)) * [[[[1]]], [[[1j]]]]).sum(0)
    return sigpy.fft((images + noise).astype(np.complex64), axes=(1, 2))


if __name__ == "__main__":
    for name, entry in run().items():
        print(f"{name}: {entry['value']} {entry['unit']} ({entry['hardware']})")
