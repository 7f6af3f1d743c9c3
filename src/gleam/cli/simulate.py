"""gleam simulate: scan files of procedural anatomy, or of an image."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import tyro

from gleam.cli.arguments import LayoutArguments, parse
from gleam.errors import BadInput
from gleam.formats import Scan, read_image
from gleam.simulation import simulate, simulate_from_image, simulate_scan
from gleam.simulation.anatomy import OVERSIZED
from gleam.terminal import warn


@dataclass(frozen=True)
class Arguments:
    """Write simulated, fully sampled scans, of procedural anatomy or of an image.

    Example: gleam simulate scans/train --scans 40 --shape 128 128 --coils 4 8

    Volumes, beating hearts, an image of your own:
      gleam simulate volumes/train --scans 10 --shape 96 96 64
      gleam simulate hearts/train --scans 20 --shape 96 96 --frames 16
      gleam simulate brain --from brain.nii.gz --shape 96 112 96
    """

    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """Folder the scans go to."""
    image: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Image to scan instead of procedural anatomy: .nii, .nii.gz, .npy, .mat, or a folder of
    DICOM files (one series). What is real gets a random phase."""
    array: Annotated[LayoutArguments, tyro.conf.arg(name="")] = field(
        default_factory=LayoutArguments
    )
    scans: int | None = None
    """How many; 10 by default, or 1 of an image: each has other coils, another phase and noise."""
    slices: int | None = None
    """Slices per 2D scan, each of another anatomy; by default 8, or 1 of a series."""
    frames: int | None = None
    """Of a 2D series, 4 or more: one beat of a heart."""
    shape: tuple[int, ...] | None = None
    """Voxels, y x, or z y x for volumes; the readout is the first of them. By default 128 128, or
    the image's; of an image no more than it has, and its k-space is cropped."""
    coils: tuple[int, int] = (4, 8)
    """Lowest and highest number of coils; drawn per scan."""
    snr: tuple[float, float] = (10.0, 200.0)
    """Lowest and highest signal-to-noise ratio; drawn per scan."""
    oversized: float | None = None
    """Share of slices, or volumes, whose body is larger than the field of view; by default one in
    six. One map set does not describe such a scan (see --sets of gleam prepare)."""
    seed: int = 0
    """The same seed gives the same scans."""
    format: Literal["h5", "cfl"] | None = None
    """h5: fastMRI's layout, for static 2D scans, whose default it is. cfl: BART's, for all."""
    name: str = "scan"
    """What the files' names begin with; sets of other shapes can share a folder."""
    workers: int = 1
    """Processes."""
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace scans that are there under the same names."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the files as JSON."""


_MAGNITUDE = (
    "holds magnitudes, which a scanner has processed already: what is trained or scored on them "
    "looks better than on raw k-space, so claim no quality on scans from them (Shimron et al., "
    "Implicit data crimes, PNAS 2022, doi 10.1073/pnas.2117203119)"
)


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    a = parse(Arguments, "simulate", arguments)
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
        scans_made = "1 scan" if len(paths) == 1 else f"{len(paths)} scans"
        print(f"{scans_made} in {a.out}; next: gleam prepare {a.out} OUT")


def _procedural(a: Arguments) -> tuple[Callable[..., Scan], bool, Sequence[str]]:
    """What draws the scans, whether they are static and 2D, and what to warn of."""
    if a.array.layout is not None:
        raise BadInput("simulate: --axes and --variable say what an image holds; name it by --from")
    shape, frames = a.shape or (128, 128), 1 if a.frames is None else a.frames
    static_2d = len(shape) == 2 and frames == 1
    slices = a.slices if a.slices is not None else 8 if static_2d else 1
    oversized = OVERSIZED if a.oversized is None else a.oversized
    draw = partial(simulate_scan, shape, a.coils, slices, a.snr, frames=frames, oversized=oversized)
    return draw, static_2d, ()


def _from_image(a: Arguments, path: Path) -> tuple[Callable[..., Scan], bool, Sequence[str]]:
    if any(said is not None for said in (a.slices, a.frames, a.oversized)):
        raise BadInput(
            "simulate: the image says itself what --slices and --frames are, and its size; leave "
            "them and --oversized out"
        )
    image = read_image(path, a.array.layout)
    static_2d = image.image.ndim == 4 and image.image.shape[1] == 1
    draw = partial(simulate_from_image, image, a.shape, a.coils, a.snr)
    return draw, static_2d, () if image.image.imag.any() else (_MAGNITUDE,)
