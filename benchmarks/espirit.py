"""Time of sigpy's `EspiritCalib` over that of our ESPIRiT, for one slice on one thread."""

import numpy as np
import sigpy
import sigpy.mri.app
import torch

from benchmarks.measure import Figures, figure, show
from gleam.physics.espirit import espirit
from gleam.training.timing import interleaved, ratio

COILS, SIZE, BOX = 8, 96, 24
REPEATS = 7


def run() -> Figures:
    """Measure; figures by name."""
    kspace = slice_kspace()
    low = SIZE // 2 - BOX // 2
    box = torch.from_numpy(kspace[:, low : low + BOX, low : low + BOX].copy())[None, :, None]

    def ours() -> None:
        espirit(box, (SIZE, SIZE))

    def theirs() -> None:
        sigpy.mri.app.EspiritCalib(kspace, calib_width=BOX, show_pbar=False).run()

    times = interleaved({"sigpy": theirs, "ours": ours}, REPEATS)
    return {
        "time.sigpy_espirit_over_ours": figure(ratio(times["sigpy"], times["ours"]), "×", "espirit")
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
    torch.set_num_threads(1)
    show(run())
