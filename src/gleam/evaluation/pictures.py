"""Planes as PNG pictures inside the page: one window per example, one error scale for all."""

import base64
import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image as Picture
from torch import Tensor

from gleam.evaluation.examples import Example

GAINS = (1, 2, 5, 10, 20, 50)
COLOURS = "inferno"


@dataclass(frozen=True)
class ExamplePictures:
    """Data URIs of one example: magnitudes, error maps, sampling."""

    example: Example
    target: str
    sampling: str
    images: dict[str, str]
    errors: dict[str, str]


def picture(example: Example, gain: int) -> ExamplePictures:
    """Draw an example; black to white is 0 to `window`, the colours 0 to `window` / `gain`."""
    white = window(example)
    return ExamplePictures(
        example=example,
        target=_grey(example.target / white),
        sampling=_grey(example.sampling.float()),
        images={method: _grey(plane / white) for method, plane in example.images.items()},
        errors={method: _coloured(gain * e / white) for method, e in example.errors.items()},
    )


def window(example: Example) -> float:
    """The magnitude drawn white: what 99.5 % of the target's voxels stay below."""
    return float(np.quantile(example.target.numpy(), 0.995)) or 1.0


def common_gain(examples: list[Example]) -> int:
    """How much errors are amplified: as much as the median picture's largest errors allow."""
    largest = [
        float(np.quantile(error.numpy(), 0.99)) / window(example)
        for example in examples
        for error in example.errors.values()
    ]
    typical = float(np.median([error for error in largest if np.isfinite(error)] or [1]))
    fits = [gain for gain in GAINS if gain * typical <= 1]
    return max(fits, default=GAINS[0])


def colour_bar() -> str:
    """The colours of the error maps from 0 to the largest, as a strip."""
    return _coloured(torch.linspace(0, 1, 256)[None])


def _grey(plane: Tensor) -> str:
    return _png(_picture(plane))


def _coloured(plane: Tensor) -> str:
    from matplotlib import colormaps

    picture = _picture(plane)
    picture.putpalette(colormaps[COLOURS](np.arange(256), bytes=True)[:, :3].tobytes())
    return _png(picture)


def _picture(plane: Tensor) -> Picture.Image:
    return Picture.fromarray(
        (255 * plane.nan_to_num(1).clamp(0, 1)).round().to(torch.uint8).numpy()
    )


def _png(picture: Picture.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
