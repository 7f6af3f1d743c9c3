"""Curves as the page draws them, and the colours of their names."""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gleam.files import finite

COLOURS = ("#3b82c4", "#d9643f", "#4f9d74", "#9b6fc0", "#b8860b", "#7b8794", "#c4527f", "#2a9d9d")


@dataclass(frozen=True)
class Curve:
    """A line: `y` at `x`."""

    name: str
    x: Sequence[int | float]
    y: Sequence[int | float]


def thinned(curve: Curve, points: int = 200) -> Curve:
    """The same curve in at most `points`, each the mean over some steps: less noise, less file."""
    if len(curve.x) <= points:
        return curve
    x, y = (
        [float(part.mean()) for part in np.array_split(np.asarray(values, float), points)]
        for values in (curve.x, curve.y)
    )
    return Curve(curve.name, x, y)


def method_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name, the same in every plot and table of the page."""
    if len(names) <= len(COLOURS):
        return dict(zip(names, COLOURS, strict=False))
    turns = (colorsys.hls_to_rgb(k / len(names), 0.52, 0.5) for k in range(len(names)))
    found = ("#" + "".join(f"{round(255 * part):02x}" for part in turn) for turn in turns)
    return dict(zip(names, found, strict=True))


def line_plot(
    curves: Sequence[Curve],
    colours: dict[str, str] | None,
    *,
    xlabel: str,
    ylabel: str,
    logarithmic: bool = False,
) -> dict[str, Any]:
    """Data of a plot that the page's script draws.

    Args:
        curves: a line each; one of a single point is drawn over the whole width.
        colours: by name; None shades from the first to the last.
        xlabel, ylabel: of the axes.
        logarithmic: y, where its values are far apart.
    """
    return {
        "xlabel": xlabel,
        "ylabel": ylabel,
        "logarithmic": logarithmic,
        "curves": [
            {
                "name": curve.name,
                "colour": colours and colours[curve.name],
                "points": [[x, finite(y)] for x, y in zip(curve.x, curve.y, strict=True)],
            }
            for curve in curves
        ],
    }
