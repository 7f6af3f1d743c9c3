"""Scores as fastMRI's `evaluate.py` computes them, against `reconstruction_rss` of the raw file.

Magnitudes, in the file's intensities, both cropped in the middle to squares as wide as the target;
of the whole volume MSE, NMSE, and PSNR whose range is the target's maximum; SSIM of each slice with
the same range, averaged. The target is the root sum of squares of the coils, not GLEAM's own, which
is combined with sensitivity maps and has less noise where there is no signal.

Source: https://github.com/facebookresearch/fastMRI, `fastmri/evaluate.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from gleam.data.example import ExampleFile
from gleam.errors import BadInput
from gleam.formats.hdf5 import file as hdf5
from gleam.metrics import nmse, psnr_magnitude, ssim


@dataclass(frozen=True)
class FastmriScore:
    """One method on one scan."""

    method: str
    scan: str
    mse: float
    nmse: float
    psnr: float
    ssim: float


@dataclass(frozen=True)
class Reference:
    """The image that a scan's images are compared with.

    Attributes:
        target: `reconstruction_rss`.
        scale: of the example; images times this are in the target's intensities.
    """

    target: Float[Tensor, "slice y x"]
    scale: float


def references(folder: Path, examples: Sequence[ExampleFile]) -> dict[str, Reference]:
    """References of the examples whose raw file, NAME.h5, is in the folder and holds a
    reconstruction.

    Raises:
        BadInput: none is, or a file is damaged.
    """
    found = {}
    for example in examples:
        path = folder / f"{example.header.name}.h5"
        if not path.is_file():
            continue
        with hdf5.opened(path) as file:
            if hdf5.holds(file, "reconstruction_rss"):
                stored = hdf5.dataset(file, "reconstruction_rss")
                if stored.ndim != 3 or stored.dtype.kind != "f":
                    raise BadInput(f"{path}: 'reconstruction_rss' is not (slice, y, x) numbers")
                target = torch.from_numpy(stored[()].astype("float32"))
                found[example.header.name] = Reference(target, example.header.scale)
    if not found:
        raise BadInput(
            f"{folder}: holds no raw file NAME.h5 of these examples with a 'reconstruction_rss'"
        )
    return found


def fastmri_score(
    method: str, scan: str, image: Float[Tensor, "slice y x"], reference: Reference
) -> FastmriScore:
    """Score a magnitude image, as it was reconstructed.

    Raises:
        BadInput: it has other slices than the target, or is smaller.
    """
    target, image = reference.target, image * reference.scale
    size = min(target.shape[-2:])
    if len(image) != len(target) or min(image.shape[-2:]) < size:
        raise BadInput(
            f"{scan}: the image is {tuple(image.shape)}, but 'reconstruction_rss' is "
            f"{tuple(target.shape)}; was the raw file replaced?"
        )
    image, target = _middle(image, size)[None], _middle(target, size)[None]
    maximum = target.amax()[None]
    return FastmriScore(
        method,
        scan,
        float((image - target).square().mean()),
        float(nmse(image, target)),
        float(psnr_magnitude(image, target, maximum)),
        float(ssim(image, target, maximum)),
    )


def _middle(image: Tensor, size: int) -> Tensor:
    """The middle as fastMRI's `center_crop` takes it, not around ⌊N/2⌋ where the one size is
    odd."""
    y, x = ((n - size) // 2 for n in image.shape[-2:])
    return image[..., y : y + size, x : x + size]
