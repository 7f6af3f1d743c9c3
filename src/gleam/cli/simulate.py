"""gleam simulate: scan files of procedural anatomy, or of an image."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from gleam.cli.options.simulate import Arguments
from gleam.errors import BadInput
from gleam.formats import Scan, read_image
from gleam.simulation import simulate, simulate_from_image, simulate_scan
from gleam.simulation.anatomy import OVERSIZED
from gleam.terminal import warn
from gleam.words import counted

_MAGNITUDE = (
    "holds magnitudes, which a scanner has processed already: what is trained or scored on them "
    "looks better than on raw k-space, so claim no quality on scans from them (Shimron et al., "
    "Implicit data crimes, PNAS 2022, doi 10.1073/pnas.2117203119)"
)


def main(a: Arguments) -> None:
    """Run the verb."""
    draw, static_2d, warnings = _procedural(a) if a.image is None else _from_image(a, a.image)
    if not static_2d and a.format == "h5":
        raise BadInput("simulate: fastMRI's layout holds static 2D scans; leave --format h5 out")
    scans = a.scans if a.scans is not None else 10 if a.image is None else 1
    format = a.format or ("h5" if static_2d else "cfl")
    paths = simulate(a.out, scans, draw, a.seed, format, a.workers, a.name, a.force)
    warn("--from", warnings)
    if a.json:
        print(json.dumps([str(path) for path in paths]))
    else:
        print(f"{counted(len(paths), 'scan')} in {a.out}; next: gleam prepare {a.out} OUT")


def _procedural(a: Arguments) -> tuple[Callable[..., Scan], bool, Sequence[str]]:
    """The function that draws the scans, whether they are static and 2D, and what to warn of."""
    if a.array.layout is not None:
        raise BadInput("simulate: --axes and --variable say what an image holds; name it by --from")
    shape, frames = a.shape or (128, 128), 1 if a.frames is None else a.frames
    static_2d = len(shape) == 2 and frames == 1
    slices = a.slices if a.slices is not None else 8 if static_2d else 1
    oversized = OVERSIZED if a.oversized is None else a.oversized
    draw = partial(simulate_scan, shape, a.coils, slices, a.snr, frames=frames, oversized=oversized)
    return draw, static_2d, ()


def _from_image(a: Arguments, path: Path) -> tuple[Callable[..., Scan], bool, Sequence[str]]:
    if any(value is not None for value in (a.slices, a.frames, a.oversized)):
        raise BadInput(
            "simulate: the image says itself what --slices and --frames are, and its size; leave "
            "them and --oversized out"
        )
    image = read_image(path, a.array.layout)
    static_2d = image.image.ndim == 4 and image.image.shape[1] == 1
    draw = partial(simulate_from_image, image, a.shape, a.coils, a.snr)
    return draw, static_2d, () if image.image.imag.any() else (_MAGNITUDE,)
