"""Views as pictures inside the page: one window per example, one error scale for all.

What does not move is a PNG. A movie is one WebP picture with its frames row by row; the page shows
one of them at a time. WebP that may lose a little is a tenth of PNG's size.
"""

import base64
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image as Picture
from torch import Tensor

from gleam.evaluation.examples import Example
from gleam.formats.pictures import layout, tiled
from gleam.viewing.views import View

GAINS = (1, 2, 5, 10, 20, 50)
COLOURS = "inferno"
_PIXELS = 2**20  # of a movie, all frames together; larger ones lose resolution
_QUALITY = 80

Frames = Float[Tensor, "time rows columns"]


@dataclass(frozen=True)
class Shot:
    """A picture, or a movie.

    Attributes:
        source: data URI.
        frames: how many; of a movie, they lie row by row.
        across, down: frames side by side, and rows of them.
        width, height: of one frame, in pixels.
    """

    source: str
    frames: int
    across: int
    down: int
    width: int
    height: int


@dataclass(frozen=True)
class ViewPictures:
    """A view's magnitudes and error maps."""

    view: View
    target: Shot
    images: dict[str, Shot]
    errors: dict[str, Shot]


@dataclass(frozen=True)
class ExamplePictures:
    """An example's sampling and views; `frames` is how many its movies have, 1 without movies."""

    example: Example
    sampling: Shot
    views: list[ViewPictures]
    frames: int


def picture(example: Example, gain: int) -> ExamplePictures:
    """Draw an example; black to white is 0 to `window`, the colours 0 to `window` / `gain`."""
    white = window(example)
    return ExamplePictures(
        example=example,
        sampling=_drawn(example.sampling[None].float()),
        views=[_view(view, white, gain) for view in example.views],
        frames=max(len(view.target) for view in example.views),
    )


def _view(view: View, white: float, gain: int) -> ViewPictures:
    return ViewPictures(
        view=view,
        target=_drawn(view.target / white),
        images={method: _drawn(image / white) for method, image in view.images.items()},
        errors={
            method: _drawn(gain * error / white, COLOURS) for method, error in view.errors.items()
        },
    )


def window(example: Example) -> float:
    """The magnitude drawn white: what 99.5 % of the target's voxels stay below."""
    return float(np.quantile(_values(view.target for view in example.views), 0.995)) or 1.0


def common_gain(examples: list[Example]) -> int:
    """How much errors are amplified: as much as the median picture's largest errors allow."""
    largest = [
        float(np.quantile(_values(view.errors[method] for view in example.views), 0.99))
        / window(example)
        for example in examples
        for method in example.scores
    ]
    typical = float(np.median([error for error in largest if np.isfinite(error)] or [1]))
    fits = [gain for gain in GAINS if gain * typical <= 1]
    return max(fits, default=GAINS[0])


def colour_bar() -> str:
    """The colours of the error maps from 0 to the largest, as a strip."""
    return _drawn(torch.linspace(0, 1, 256)[None, None], COLOURS).source


def _values(planes: Iterable[Tensor]) -> NDArray[np.float32]:
    return torch.cat([plane.flatten() for plane in planes]).numpy()


def _drawn(frames: Frames, colours: str | None = None) -> Shot:
    """From 0 to 1, in grey or in the colours of a map."""
    smaller = math.ceil(math.sqrt(frames.numel() / _PIXELS)) if len(frames) > 1 else 1
    if smaller > 1:
        frames = torch.nn.functional.avg_pool2d(frames[None], smaller, ceil_mode=True)[0]
    levels = (255 * frames.nan_to_num(1).clamp(0, 1)).round().to(torch.uint8).numpy()
    sheet = Picture.fromarray(tiled(levels))
    if colours is not None:
        from matplotlib import colormaps

        sheet.putpalette(colormaps[colours](np.arange(256), bytes=True)[:, :3].tobytes())
    count, height, width = levels.shape
    down, across = layout(count)
    return Shot(_encoded(sheet, count > 1), count, across, down, width, height)


def _encoded(sheet: Picture.Image, movie: bool) -> str:
    """As a data URI."""
    file = io.BytesIO()
    if movie:
        sheet.convert("RGB").save(file, "WebP", quality=_QUALITY, method=6)
    else:
        sheet.save(file, "PNG", optimize=True)
    kind = "webp" if movie else "png"
    return f"data:image/{kind};base64," + base64.b64encode(file.getvalue()).decode()
