"""Line plots as SVG inside the page. Names of lines stand in the page, not in the plot."""

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

COLOURS = ("#2f6690", "#c8553d", "#4b8f6b", "#8a5fa8", "#b8860b", "#5c6670", "#b0497a", "#2a9d9d")


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
    return dict(zip(names, _spaced("turbo", len(names)), strict=True))


def module_colours(count: int) -> list[str]:
    """From dark to light along the modules."""
    return _spaced("viridis", count)


def _spaced(name: str, count: int) -> list[str]:
    """Colours of a map at equal distances, without its brightest end."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps[name](0.88 * i / max(count - 1, 1))) for i in range(count)]


def line_plot(
    curves: Sequence[Curve],
    colours: Sequence[str],
    *,
    xlabel: str,
    ylabel: str,
    size: tuple[float, float] = (8.6, 3.8),
    logarithmic: bool = False,
) -> str:
    """One `<svg>`: a line per curve, a dashed level for a curve of a single point.

    Args:
        curves: what to draw.
        colours: one per curve.
        xlabel: what x is.
        ylabel: what y is, with its unit.
        size: width and height in inches.
        logarithmic: whether y is, where its range is wide enough.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    with matplotlib.rc_context(
        {
            "svg.fonttype": "none",  # text stays text, in the font of the page
            "svg.hashsalt": "gleam",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": "#b9bec4",
            "axes.labelcolor": "#5c6670",
            "xtick.color": "#5c6670",
            "ytick.color": "#5c6670",
            "axes.grid": True,
            "grid.color": "#eceef0",
            "font.size": 10,
        }
    ):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.set_axisbelow(True)
        for curve, colour in zip(curves, colours, strict=True):
            if not np.isfinite(curve.y).any():
                continue
            if len(curve.x) == 1:
                axes.axhline(curve.y[0], color=colour, linestyle=(0, (4, 3)), linewidth=1.3)
            else:
                marker = "o" if len(curve.x) <= 40 else ""
                axes.plot(
                    curve.x, curve.y, color=colour, linewidth=1.5, marker=marker, markersize=3.2
                )
        positive = [v for curve in curves for v in curve.y if 0 < v < math.inf]
        if logarithmic and positive and max(positive) > 4 * min(positive):
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
        else:
            axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        file = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    return _bare(file.getvalue())


def _bare(svg: str) -> str:
    """Only the element: without the prologue and the name spaces, which HTML does without."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"| (width|height)="[\d.]+pt"', "", svg)
    return svg.replace("<svg", '<svg aria-hidden="true"', 1)
