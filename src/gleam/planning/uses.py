"""`Use`: how a reconstruction uses memory; whatever it is, the image is the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gleam.data.example import Example
from gleam.data.kind import kind_of
from gleam.data.loader import SLAB
from gleam.networks.regulariser import Convolved
from gleam.reconstruction.reconstructor import Reconstructor, Trained

LEAST_PATCH = 16  # positions; a smaller one is mostly margin


@dataclass(frozen=True)
class Use:
    """Use of memory; whatever it is, the image is the same.

    Attributes:
        at_once: slices that are reconstructed at the same time.
        slab: positions of a volume that are reconstructed together.
        patch: positions along each axis that a regulariser is applied to; None for all.
    """

    at_once: int = 1
    slab: int = SLAB
    patch: tuple[int, ...] | None = None

    def __str__(self) -> str:
        patch = "" if self.patch is None else f", patches of {list(self.patch)}"
        return f"{self.at_once} at once, slabs of {self.slab}{patch}"


def apply(method: Reconstructor, use: Use) -> None:
    """Have a network's regularisers applied to patches; the rest of a use is for `reconstruct`."""
    for regulariser in _regularisers(method):
        if use.patch is not None:
            regulariser.patch = use.patch


def uses(method: Reconstructor, example: Example, at_once: int) -> Iterator[Use]:
    """Ways to use memory, those that take least time first."""
    slices, _, _, *space = example.shape
    count, slab = min(at_once, slices), SLAB
    yield Use(at_once)
    while count > 1:
        count //= 2
        yield Use(count)
    axis = example.header.slab_axis
    while axis is not None and slab > 1:
        slab //= 2
        yield Use(1, slab)
    regularisers = _regularisers(method)
    if not regularisers or not all(hasattr(r.cnn, "reach") for r in regularisers):
        return
    grid = list(space)
    if len(space) == 2 and regularisers[0].dimensions == 3:
        grid = [example.shape[2], *space]
    if method.takes_slices_of(kind_of(example)):
        grid = [length for k, length in enumerate(space, -3) if k != axis]
    elif len(space) == 3 and regularisers[0].dimensions == 2:
        grid = list(space[-2:])
    while max(grid) > LEAST_PATCH:
        longest = grid.index(max(grid))
        grid[longest] = -(-grid[longest] // 2)
        yield Use(1, slab, tuple(grid))


@contextmanager
def patched(method: Reconstructor, use: Use) -> Iterator[None]:
    """A context in which a network's regularisers are applied to patches: see `apply`."""
    before = {regulariser: regulariser.patch for regulariser in _regularisers(method)}
    apply(method, use)
    try:
        yield
    finally:
        for regulariser, patch in before.items():
            regulariser.patch = patch


def _regularisers(method: Reconstructor) -> list[Convolved]:
    if not isinstance(method, Trained):
        return []
    return [one for one in method.network.modules() if isinstance(one, Convolved)]
