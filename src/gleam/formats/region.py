"""The region of k-space that an acquisition covers, and whether it sampled all of it.

What lies beyond was never acquired: no acceleration, and no gap in a target. That may be lines
(partial Fourier, a vendor's zeros), or the corners of two phase encodings: 3D scans are often
acquired inside an ellipse. A pattern with gaps, random or regular, covers its bounding box.

An ellipse, cut by partial Fourier or not, is told by two properties: it is convex, and as symmetric
about the zero frequency as the bounding box lets it be. A scan that stopped early is convex, too,
but not symmetric: of its last line a part is missing.
"""

from itertools import product

import numpy as np
import scipy
from numpy.typing import NDArray

Pattern = NDArray[np.bool_]


def bounding_box(sampled: Pattern) -> tuple[slice, ...]:
    """The box of k-space that is sampled: along each space axis, from the first to the last
    position that any frame sampled.

    Args:
        sampled: (frame, *space) bool, not empty.
    """
    edges = []
    for axis in range(1, sampled.ndim):
        others = tuple(other for other in range(sampled.ndim) if other != axis)
        (positions,) = np.nonzero(sampled.any(axis=others))
        edges.append(slice(int(positions[0]), int(positions[-1]) + 1))
    return tuple(edges)


def is_complete(sampled: Pattern) -> bool:
    """Whether every frame sampled all of one region: a box, or an ellipse in two of its axes.

    Args:
        sampled: (frame, *space) bool, not empty, centred; any axis may have length 1.
    """
    box = bounding_box(sampled)
    inside = sampled[:, *box]
    if inside.all():
        return True
    one = inside[0]
    varies = [a for a in range(one.ndim) if (one != one.take([0], a)).any()]
    if len(varies) != 2 or (inside != one).any():
        return False
    plane = one[tuple(slice(None) if a in varies else 0 for a in range(one.ndim))]
    # The zero frequency of N positions is at ⌊N/2⌋, but some draw their ellipses about the middle.
    middles = [
        (n - 2 * box[a].start, n - 1 - 2 * box[a].start)
        for a in varies
        for n in (sampled.shape[1 + a],)
    ]
    return any(_fills_symmetric_hull(plane, twice) for twice in product(*middles))


def acceleration(sampled: Pattern) -> float:
    """Positions in the region that was covered over sampled positions.

    Args:
        sampled: as for `is_complete`.
    """
    if is_complete(sampled):
        return 1.0
    return sampled[:, *bounding_box(sampled)].size / int(sampled.sum())


def _fills_symmetric_hull(plane: Pattern, twice: tuple[int, ...]) -> bool:
    """Whether a plane is its own convex hull, when completed by its mirror images in the box.

    Scanners' ellipses are jagged: where there is much inside, a few positions may be missing along
    the border; not in the outermost lines, where a scan that stopped early lacks them.

    Args:
        plane: bool, its own bounding box.
        twice: the middle between the images along each axis, times two.
    """
    symmetric, imaged = plane, np.zeros_like(plane)
    for axis, total in enumerate(twice):
        there = total - np.arange(plane.shape[axis])
        valid = (there >= 0) & (there < plane.shape[axis])
        along = np.expand_dims(valid, 1 - axis)
        symmetric = symmetric | symmetric.take(np.where(valid, there, 0), axis) & along
        imaged = imaged | along
    if not (~symmetric & imaged).any():  # of a scan cut along both axes, nothing can be told
        return False
    hull = _hull(symmetric)
    missing, inner = hull & ~plane, _inner(hull)
    outermost = ~_inner(np.ones_like(plane))
    inside = int(inner.sum())
    border = int(hull.sum()) - inside
    few = inside >= 4 * border and 8 * int(missing.sum()) <= border
    return not missing.any() or (few and not (missing & (inner | outermost)).any())


def _hull(plane: Pattern) -> Pattern:
    """The positions in the convex hull of those that are true."""
    try:
        sides = scipy.spatial.ConvexHull(np.argwhere(plane & ~_inner(plane))).equations
    except scipy.spatial.QhullError:  # fewer than three, or all in one line
        return plane
    y, x = np.indices(plane.shape)
    inside = np.ones(plane.shape, np.bool_)
    for normal_y, normal_x, offset in sides:
        inside &= normal_y * y + normal_x * x + offset <= 1e-6
    return inside


def _inner(plane: Pattern) -> Pattern:
    """Those whose four neighbours are true, too."""
    framed = np.pad(plane, 1)
    neighbours = (framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:])
    inner: Pattern = np.logical_and.reduce((plane, *neighbours))
    return inner
