"""Files as pictures: images as they are, scans and examples reconstructed, in the report's viewer.

Images of one size are taken for the same thing, seen by several methods, and can be compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from gleam.data.example import Example
from gleam.errors import BadInput
from gleam.evaluation.examples import Pictured, pictured, sampling_picture
from gleam.formats import Layout, Volume, read_image
from gleam.report.page import Page
from gleam.report.plots import method_colours
from gleam.report.scans import Shown
from gleam.words import counted, sized

IMAGES = (".nii", ".nii.gz", ".dcm")
EITHER = (".npy", ".mat")  # image or k-space: the axes say


def is_image(path: Path, layout: Layout | None) -> bool:
    """Whether a file is an image, and no scan: of bare arrays, one without coils."""
    if path.is_dir() or path.name.endswith(IMAGES):
        return True
    axes = None if layout is None else layout.axes
    return path.name.endswith(EITHER) and axes is not None and "coil" not in axes


def read_images(paths: Sequence[Path], layout: Layout | None = None) -> list[Pictured]:
    """The images of files; those of one size and place are one, seen by several methods.

    Raises:
        BadInput: see `gleam.formats.read_image`; two files of one name.
    """
    groups: list[tuple[Volume, dict[str, Volume]]] = []
    for path in paths:
        volume, name = read_image(path, layout), path.name
        for first, group in groups:
            if first.image.shape == volume.image.shape and first.upright == volume.upright:
                if name in group:
                    name = str(path)
                group[name] = volume
                break
        else:
            groups.append((volume, {name: volume}))
    return [images_pictured(group) for _, group in groups]


def images_pictured(images: Mapping[str, Volume]) -> Pictured:
    """Images of one size, by name, as one scan without a reference."""
    first = next(iter(images.values()))
    tensors = {name: torch.from_numpy(one.image)[:, None] for name, one in images.items()}
    numbers = range(first.image.shape[0])
    name = ", ".join(images)
    return pictured(name, numbers, None, tensors, None, first.voxel, first.upright)


def scan_pictured(example: Example, images: Mapping[str, Volume]) -> Pictured:
    """Reconstructions of one scan, with its sampling."""
    seen = images_pictured(images)
    rows, columns = seen.size[3:]
    sampling = sampling_picture(example.sampled, (rows, columns))
    return replace(seen, scan=example.header.name, sampling=sampling)


def page_of(scans: Sequence[Pictured], title: str, device: str = "") -> Page:
    """Pictures alone.

    Raises:
        BadInput: there are none.
    """
    if not scans:
        raise BadInput("view: there is nothing to look at")
    names = list(dict.fromkeys(name for scan in scans for name in scan.images))
    first = scans[0]
    z, frames, _, y, x = first.size
    extent = [counted(len(scans), "image")] if len(scans) > 1 else []
    extent.append(sized((z, y, x) if first.volume else (y, x)) + " voxels")
    if not first.volume:
        extent.append(counted(z, "slice"))
    if frames > 1:
        extent.append(counted(frames, "frame"))
    return Page(
        template="pictures.html",
        title=title,
        extent=extent,
        colours=method_colours(names),
        scans=[Shown(scan) for scan in scans],
        device=device,
    )
