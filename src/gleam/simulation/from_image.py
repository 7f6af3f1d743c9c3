"""A scan of an image of the user's own: coils, phase and noise are made up, the anatomy is not."""

import numpy as np

from gleam.errors import BadInput
from gleam.formats import Scan, Volume
from gleam.simulation.acquire import acquire, draw_receiver, generator
from gleam.simulation.anatomy import draw_phase
from gleam.simulation.coils import SimulatedCoils

_SMALLEST = 8  # voxels along an axis


def simulate_from_image(
    image: Volume,
    shape: tuple[int, ...] | None,
    coils: int | tuple[int, int],
    snr: float | tuple[float, float],
    seed: int | tuple[int, ...],
    oversampling: int = 1,
    name: str = "simulated",
) -> Scan:
    """A fully sampled scan of an image: 2D slices, a series of them, or a volume.

    An image that is real gets a smooth random phase, one for all frames; a complex one keeps its
    own. The readout is the first axis. Voxel sizes and affine are the image's.

    Args:
        image: what is seen.
        shape: voxels along each axis, no more than the image has; k-space is the central part of
            the image's. None: all of them.
        coils, snr: see `draw_receiver` and `acquire`.
        seed: the same seed gives the same scan.
        oversampling: field of view along the readout over that of the image.
        name: name of the scan.

    Raises:
        BadInput: a size or ratio that cannot be simulated, or an empty image.
    """
    grid = image.image.shape[2:]
    shape = grid if shape is None else shape
    if len(shape) != len(grid) or any(n > m for n, m in zip(shape, grid, strict=True)):
        raise BadInput(
            f"simulate: shape {shape} does not fit {image.name}, whose size is {grid}; give as "
            "many axes, none larger"
        )
    if min(shape) < _SMALLEST:
        raise BadInput(f"simulate: shape {shape} is too small; use {_SMALLEST} or more")
    brightest = np.abs(image.image).max()
    if brightest == 0:
        raise BadInput(f"simulate: {image.name} is zero everywhere; give an image")

    rng = generator(seed)
    count, ratio = draw_receiver(coils, snr, rng)
    maps = SimulatedCoils(grid, count, rng)
    images = [series / brightest for series in image.image]
    if not image.image.imag.any():
        images = [series * np.exp(1j * draw_phase(grid, rng)) for series in images]
    space, wide = ((n[0] * oversampling, *n[1:]) for n in (shape, grid))
    kspace = acquire(images, maps, count, space, wide, ratio, rng)

    larger = [m / n for m, n in zip(grid, shape, strict=True)]  # of voxels
    moved = np.eye(4)  # voxel index to that of the image
    for row, (n, m) in enumerate(zip(shape[::-1], grid[::-1], strict=True)):  # x first
        moved[row, row], moved[row, 3] = m / n, m // 2 - n // 2 * m / n
    sizes = [size * f for size, f in zip(image.voxel, [*larger, 1.0], strict=False)]
    return Scan(
        name=name,
        kspace=kspace,
        sampled=np.ones((1,) * (1 + len(shape)), bool),
        readout=0,
        matrix=shape,
        voxel=tuple(sizes),
        affine=image.affine @ moved,
        thickness=image.thickness,
        calibration=tuple((0, n) for n in space),
        contrast={**image.contrast, "acquisition": "simulated", "SNR": ratio},
    )
