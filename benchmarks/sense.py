"""Time of AᴴA over the mask's one axis against sigpy's 2D operator, and its memory.

128 × 128, 6 coils, one thread: the same result (checked), half the transforms, no shifts.
"""

from typing import Any

import numpy as np
import sigpy
import sigpy.mri.linop
import torch

from benchmarks.measure import Figures, figure, show
from gleam.physics.sense import Sense
from gleam.training.meter import metered
from gleam.training.timing import interleaved, ratio

SIZE, COILS, REPEATS = 128, 6, 31


def run() -> Figures:
    """Measure; figures by name."""
    random = np.random.default_rng(0)

    def complex_noise(*shape: int) -> Any:
        return (random.normal(size=shape) + 1j * random.normal(size=shape)).astype(np.complex64)

    maps, image = complex_noise(COILS, SIZE, SIZE), complex_noise(SIZE, SIZE)
    lines = random.random(SIZE) < 0.25
    weights = np.broadcast_to(lines, (COILS, SIZE, SIZE)).astype(np.float32)
    theirs = sigpy.mri.linop.Sense(maps, weights=weights).N
    mask = torch.from_numpy(np.fft.ifftshift(lines))[None, None, None, None]
    sense = Sense(torch.from_numpy(maps)[None, None, :, None], mask, (-1,))
    tensor = torch.from_numpy(image)[None, None, None]

    expected, result = theirs(image), sense.normal(tensor)[0, 0, 0].numpy()
    assert np.abs(result - expected).max() < 1e-4 * np.abs(expected).max()
    times = interleaved(
        {"sigpy": lambda: theirs(image), "ours": lambda: sense.normal(tensor)}, REPEATS
    )
    _, work = metered(lambda: sense.normal(tensor), torch.device("cpu"))
    return {
        "time.sigpy_normal_over_ours": figure(ratio(times["sigpy"], times["ours"]), "×", "sense"),
        "memory.normal_in_images": figure(work / image.nbytes, "images of 128 × 128", "sense"),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    show(run())
