"""`reconstruct`: a prepared scan to an image, by a network or without learning."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from gleam import formats
from gleam.amounts import bytes_of
from gleam.data.example import is_example
from gleam.device import choose
from gleam.errors import BadInput
from gleam.face.examples import Example, open, prepare
from gleam.face.images import Image
from gleam.face.scans import load
from gleam.face.words import as_arguments, checked_mask, in_python, path_of
from gleam.physics.classical import CLASSICAL
from gleam.planning.checks import needs_checked
from gleam.planning.inference import needs, planned
from gleam.preparation.calibration import Uncalibrated
from gleam.preparation.prepare import Settings
from gleam.recipe import MaskRecipe
from gleam.reconstruction.exported import SUFFIXES
from gleam.reconstruction.named import reconstructor
from gleam.reconstruction.reconstruct import Reconstruction
from gleam.reconstruction.reconstructor import Classical, Reconstructor
from gleam.reconstruction.rivals import image_of
from gleam.reconstruction.uncalibrated import prepared_or_image
from gleam.runs import shipped
from gleam.runs.folder import is_there
from gleam.trust import trusting
from gleam.words import nearest

Data = Example | formats.Scan | str | os.PathLike[str]
Method = str | os.PathLike[str] | Callable[..., Any]


@in_python()
def reconstruct(
    data: Data,
    method: Method,
    mask: MaskRecipe | None = None,
    *,
    iterations: int | None = None,
    until: float | None = None,
    force: bool = False,
    memory: str | int | None = None,
    device: str | None = None,
    trust: Sequence[str] = (),
) -> Image:
    """The image of a scan, in its own intensities, cropped to the matrix that was asked for.

    A volume is reconstructed in slabs along its readout.

    >>> gleam.reconstruct(data, "wavelet", gleam.mask(acceleration=4))
    <Image 'scan-0': 2 slices, 1 frame, 32 × 48 voxels of ... mm, wavelet>
    >>> image = gleam.reconstruct("scan.h5", "runs/greedy", gleam.mask(acceleration=4))
    >>> image.save("greedy.nii.gz")

    Args:
        data: of `prepare` or `open`; or a scan, or the file of either.
        method: a run or its folder, what `export` wrote, or the name of a network that ships, whose
            image is taken where a check ranks it first; or "zero-filled", "cg-sense",
            "wavelet", "sliding-window", "temporal-tv", "low-rank"; or a function from a
            measurement, as `Example.measure` makes them, to an image (batch, set, frame, *space),
            such as a network of your own.
        mask: undersample a fully sampled scan first.
        iterations: of a run's network, at most; by default all of them.
        until: stop where a module changes the image by less than this share of it.
        force: use a run's network on other kinds of scans than it was trained on, too.
        memory: that there is, in bytes or as "8GiB": a volume's slabs and patches of the network
            are chosen so that it fits, and the image is the same.
        device: "cpu", "cuda", "cuda:1"; by default a GPU if there is one, and where a network of
            your own is.
        trust: modules that may be imported for a run's network, by name.

    Raises:
        BadInput: there is no such run, name or device, or it does not fit the scan, or the memory
            is too little.
    """
    mask = checked_mask(mask)
    with trusting(trust or getattr(method, "trust", ())):
        way = way_of(method, device, iterations, until, force)
    example = data if isinstance(data, Example) else _prepared_for(way, data, mask)
    if isinstance(example, Reconstruction):
        return Image.of(example)
    if memory is None:
        return Image.of(image_of(way, example.source, mask))
    size = bytes_of(memory, "reconstruct: memory") if isinstance(memory, str) else memory
    use, _ = planned(way, example.source, mask, size, of=needs_checked if way.on_trial else needs)
    return Image.of(image_of(way, example.source, mask, slab=use.slab))


def _prepared_for(
    way: Reconstructor, data: Any, mask: MaskRecipe | None
) -> Example | Reconstruction:
    """An example; or an image of what has no calibration lines, see `prepared_or_image`."""
    try:
        return prepared(data, way.sets)
    except Uncalibrated:
        scan = data if isinstance(data, formats.Scan) else load(path_of(data, "a scan"))
        found = prepared_or_image(scan, Settings(), way, mask)
        assert isinstance(found, Reconstruction)
        return replace(found, doubts=[as_arguments(doubt) for doubt in found.doubts])


def way_of(
    method: Any,
    device: str | None,
    iterations: int | None = None,
    until: float | None = None,
    force: bool = False,
) -> Reconstructor:
    """The reconstructor for what a user calls a method; see `reconstruct`."""
    if callable(method):
        if iterations is not None or until is not None:
            raise BadInput("reconstruct: --iterations and --until are for runs, not for functions")
        weights = method.parameters() if isinstance(method, nn.Module) else iter(())
        weight = next(weights, None)
        place = choose(device or "auto") if device or weight is None else weight.device
        return Classical(getattr(method, "__name__", type(method).__name__), method, device=place)
    name = os.fspath(path_of(method, "a method's name, a run or a function"))
    known = name in CLASSICAL or name.endswith(SUFFIXES)
    if not known and not is_there(shipped.located(Path(name))):
        names = [*CLASSICAL, *shipped.names()]
        raise BadInput(f"{name}: is neither a run nor a reconstruction; {nearest(name, names)}")
    return reconstructor(name, device or "auto", iterations, until, force)


def prepared(data: Any, sets: int) -> Example:
    """A scan, or the file of a scan or of an example, as an example."""
    if isinstance(data, formats.Scan):
        return prepare(data, sets=sets)
    path = path_of(data, "a scan, an example, or the path of either")
    return open(path) if is_example(path) else prepare(path, sets=sets)
