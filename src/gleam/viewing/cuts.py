"""Cuts through an image of any dimension, so that it can be looked at."""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from gleam.formats.upright import Plane, Upright
from gleam.viewing.turned import turned

Cut = Callable[[Tensor], Tensor]  # of (…, frame, *space), as (…, time, rows, columns)


def cuts(
    magnitude: Float[Tensor, "frame *space"], upright: Upright | None = None
) -> dict[str, Cut]:
    """The cuts to show of an image, by name; the one plane of a 2D slice has none.

    A 2D slice is one plane. A volume is three, through the middle of what it shows. A series has a
    profile besides: the line along x through what moves most, one frame below the other.

    Args:
        magnitude: of the image.
        upright: how a volume's planes are shown; None where the patient's place is not known.
    """
    cuts: dict[str, Cut] = {"": _whole}
    if magnitude.ndim == 4:
        middle = _middle(magnitude.mean(0))
        cuts = {
            plane_name(axis, n, upright): partial(
                _plane, axis=axis - 3, index=n, seen=turned(upright)[axis]
            )
            for axis, n in enumerate(middle)
        }
    if len(magnitude) > 1:
        plane = partial(_plane, axis=-3, index=middle[0]) if magnitude.ndim == 4 else _whole
        row = moving_row(plane(magnitude))
        times = max(1, round(magnitude.shape[-1] / 2 / len(magnitude)))
        cuts[f"x over time (down), y = {row}"] = partial(
            _profile, plane=plane, row=row, times=times
        )
    return cuts


def plane_name(axis: int, index: int, upright: Upright | None) -> str:
    """The name of a volume's plane across an axis, 0 being z."""
    place = f"{'zyx'[axis]} = {index}"
    return place if upright is None else f"{upright[axis].name}, {place}"


def _whole(slice_: Tensor) -> Tensor:
    return slice_


def _plane(volume: Tensor, axis: int, index: int, seen: Plane | None = None) -> Tensor:
    plane = volume.select(axis, index)
    return plane if seen is None else seen.shown(plane)


def _profile(series: Tensor, plane: Cut, row: int, times: int) -> Tensor:
    """One picture (…, 1, frame, x), each frame drawn `times` times to be seen."""
    line = plane(series)[..., row, :]
    return line.repeat_interleave(times, -2).unsqueeze(-3)


def _middle(magnitude: Float[Tensor, "z y x"]) -> list[int]:
    """The voxel at the centre of brightness."""
    total = magnitude.sum().clamp(min=torch.finfo().tiny)
    middle = []
    for axis, size in enumerate(magnitude.shape):
        along = magnitude.sum([a for a in range(3) if a != axis]) / total
        middle.append(int((along * torch.arange(size)).sum().round()))
    return middle


def moving_row(plane: Float[Tensor, "frame y x"]) -> int:
    """The row through the middle of the region, a quarter of the plane in size, in which most
    moves."""
    sizes = [2 * (n // 8) + 1 for n in plane.shape[1:]]
    around = [n // 2 for n in sizes]
    region = torch.nn.functional.avg_pool2d(plane.var(0)[None], sizes, 1, around)
    return int(region[0].amax(1).argmax())
