"""`reconstruct`: a prepared scan to an image, by a network or without learning."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gleam.device import choose
from gleam.errors import BadInput
from gleam.face.examples import Example
from gleam.face.images import Image
from gleam.face.words import in_python
from gleam.physics.classical import CLASSICAL
from gleam.recipe import MaskRecipe
from gleam.reconstruction import reconstruct as whole
from gleam.reconstruction.reconstructor import Classical, Reconstructor, reconstructor
from gleam.training.run import is_there
from gleam.words import nearest

Network = Callable[..., Any]


@in_python
def reconstruct(
    data: Example,
    method: str | os.PathLike[str] | Network,
    mask: MaskRecipe | None = None,
    *,
    device: str = "auto",
) -> Image:
    """The image of a scan, in its own intensities, cropped to the matrix that was asked for.

    A volume is reconstructed in slabs along its readout.

    >>> gleam.reconstruct(data, "wavelet", gleam.mask(acceleration=4))
    <Image 'scan-0': 2 slices, 1 frame, 32 × 48 voxels of ... mm, wavelet>
    >>> gleam.reconstruct(data, "runs/greedy").save("greedy.nii.gz")

    Args:
        data: of `prepare` or `open`.
        method: a run or its folder; or "zero-filled", "cg-sense", "wavelet", "sliding-window",
            "temporal-tv", "low-rank"; or a function from a measurement, as `Example.measure` makes
            them, to an image (batch, set, frame, *space), such as a network of your own.
        mask: undersample a fully sampled scan first.
        device: "cpu", "cuda", "cuda:1"; by default a GPU if there is one.

    Raises:
        BadInput: there is no such run, name or device, or it does not fit the scan.
    """
    if callable(method):
        way: Reconstructor = Classical("a function", method, device=choose(device))
        words = ""
    elif (name := os.fspath(method)) in CLASSICAL or is_there(Path(name)):
        way, words = reconstructor(name, device), name
    else:
        raise BadInput(f"{name}: is neither a run nor a reconstruction; {nearest(name, CLASSICAL)}")
    return replace(Image.of(whole.reconstruct(way, data.source, mask)), method=words)
