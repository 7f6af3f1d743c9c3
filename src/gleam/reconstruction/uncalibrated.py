"""The image of a scan whose coils cannot be calibrated: the root of the sum of their squares.

It takes no maps, and so no method but zero filling can make it.
"""

import numpy as np
import torch

from gleam.arrays import crop
from gleam.errors import BadInput
from gleam.formats.lazy import each_coil
from gleam.formats.scan import Scan
from gleam.physics.baselines import zero_filled
from gleam.physics.fourier import ifft, shift_free
from gleam.preparation.calibration import Uncalibrated
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import MaskRecipe
from gleam.reconstruction.reconstruct import Reconstruction
from gleam.reconstruction.reconstructor import Classical, Reconstructor

_SAID = (
    "is the root of the sum of squares of the coils' images, as the scan has no calibration lines; "
    "with these, or a --reference of the same coils, any method can make an image"
)


def prepared_or_image(
    scan: Scan,
    settings: Settings,
    method: Reconstructor,
    mask: MaskRecipe | None = None,
    sha256: str = "",
) -> Prepared | Reconstruction:
    """The example of a scan; or an image, where coils cannot be calibrated and zeros are filled in.

    Args:
        scan, settings, sha256: see `Prepared`.
        method: that is to reconstruct it.
        mask: of retrospective undersampling; there is no image of such a scan with one.

    Raises:
        BadInput: see `Prepared`.
    """
    try:
        return Prepared(scan, settings, sha256=sha256)
    except Uncalibrated:
        if mask is None and isinstance(method, Classical) and method.method is zero_filled:
            return root_sum_of_squares(scan)
        raise


def root_sum_of_squares(scan: Scan) -> Reconstruction:
    """The root of the sum of squares of all coils' zero-filled images.

    A coil is in memory at a time.

    Raises:
        BadInput: k-space cannot be read, or is not finite.
    """
    axes = tuple(range(-len(scan.space), 0))
    matrix = [min(m, n) for m, n in zip(scan.matrix, scan.space, strict=True)]
    slices = []
    for index in range(scan.kspace.shape[0]):
        energy = torch.zeros(scan.kspace.shape[2], *matrix)
        for coil in each_coil(scan.kspace, index):
            if not np.isfinite(coil).all():
                raise BadInput(f"{scan.name}: slice {index} of its k-space has NaN or Inf")
            image = ifft(shift_free(torch.from_numpy(coil), axes), axes)
            energy += crop(image, matrix).abs().square()
        slices.append(energy.sqrt())
    return Reconstruction(
        torch.stack(slices).to(torch.complex64).numpy(),
        scan.voxel,
        scan.affine,
        scan.contrast,
        scan.name,
        method="zero-filled, root of the sum of squares",
        thickness=scan.thickness,
        doubts=[_SAID],
    )
