"""Pictured scans as a page holds them: facts as JSON, images as blocks of text.

A page is at most `ROOM` bytes: what does not fit goes to further pages beside it.
"""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from PIL import Image as Picture
from torch import Tensor

from gleam.evaluation.examples import Pictured
from gleam.evaluation.scores import FrameScore, Score
from gleam.files import finite
from gleam.viewing.cuts import moving_row
from gleam.viewing.stack import Stack

ROOM = 28_000_000  # bytes of blocks on a page, which is below 30 MB then
GAINS = (1, 2, 5, 10, 20, 50)
REFERENCE = "Target"


@dataclass(frozen=True)
class Shown:
    """A scan of a page.

    Attributes:
        scan: its pictures.
        group: the test set; empty where there is one.
        scores: per slice.
        frames: per frame of a slice.
    """

    scan: Pictured
    group: str = ""
    scores: Sequence[Score] = ()
    frames: Sequence[FrameScore] = ()


def shared_out(scans: Iterable[Shown]) -> list[list[Shown]]:
    """The scans of each page, at least one page; a scan that is larger than a page has its own."""
    pages: list[list[Shown]] = [[]]
    left = ROOM
    for one in scans:
        size = one.scan.nbytes * 4 // 3
        if size > left and pages[-1]:
            pages.append([])
            left = ROOM
        pages[-1].append(one)
        left -= size
    return pages


def facts(number: int, one: Shown, colours: Mapping[str, str]) -> dict[str, Any]:
    """Facts about a scan that the viewer of its page knows; see templates/viewer."""
    scan = one.scan
    images = [(name, stack, colours.get(name)) for name, stack in scan.images.items()]
    if scan.reference is not None:
        images.insert(0, (REFERENCE, scan.reference, None))
    frames = scan.size[1]
    return {
        "name": scan.scan,
        "group": one.group,
        "size": scan.size,
        "volume": scan.volume,
        "numbers": scan.numbers,
        "voxel": scan.voxel,
        "white": scan.white,
        "planes": [vars(plane) for plane in scan.planes],
        "caption": scan.caption,
        "sampling": None if scan.sampling is None else _sampling(scan.sampling),
        "line": _line(scan) if frames > 1 else None,
        "images": [
            {
                "name": name,
                "colour": colour,
                "step": stack.step,
                "block": f"block-{number}-{k}",
                "reference": k == 0 and scan.reference is not None,
            }
            for k, (name, stack, colour) in enumerate(images)
        ],
        "scores": _scores(one.scores),
        "frameScores": _frame_scores(one.frames),
    }


def blocks(number: int, one: Shown) -> list[tuple[str, str]]:
    """Names and texts of a scan's packed images."""
    scan = one.scan
    stacks = [*([scan.reference] if scan.reference else []), *scan.images.values()]
    return [(f"block-{number}-{k}", _text(stack)) for k, stack in enumerate(stacks)]


def common_gain(scans: Sequence[Shown]) -> int:
    """Amplification of errors: as much as the median scan's largest errors allow."""
    largest = [error for one in scans for error in _largest_errors(one.scan)]
    typical = float(np.median(largest or [1]))
    return max((gain for gain in GAINS if gain * typical <= 1), default=GAINS[0])


def _largest_errors(scan: Pictured) -> list[float]:
    """Largest error of each method: the 99th percentile in the middle slice, as a share of
    white."""
    if scan.reference is None:
        return []
    middle = _middle(scan.reference)
    reference = middle.image()
    errors = (np.abs(_middle(stack).image() - reference) for stack in scan.images.values())
    return [float(np.quantile(error, 0.99)) / scan.white for error in errors]


def _middle(stack: Stack) -> Stack:
    z, frames, sets, rows, columns = stack.size
    start = z // 2 * frames
    return Stack((1, frames, sets, rows, columns), stack.step, stack.planes[start : start + frames])


def _text(stack: Stack) -> str:
    return ",".join(base64.b64encode(plane).decode() for plane in stack.planes)


def _sampling(sampled: Bool[Tensor, "rows columns"]) -> str:
    """A data URI; one bit a pixel."""
    file = io.BytesIO()
    Picture.fromarray(sampled.numpy()).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _line(scan: Pictured) -> list[int]:
    """The line of the profile over time: along x, through what moves most in the middle slice; (x y
    x y)."""
    shown = scan.reference or next(iter(scan.images.values()))
    series = np.linalg.norm(_middle(shown).image()[0], axis=1)  # (frame, y, x)
    row = moving_row(torch.from_numpy(series))
    return [0, row, series.shape[2] - 1, row]


def _scores(scores: Sequence[Score]) -> dict[str, dict[str, list[int | float | None]]]:
    found: dict[str, dict[str, list[int | float | None]]] = {}
    for score in scores:
        own = found.setdefault(score.method, {"psnr_complex": [], "ssim": []})
        for metric, values in own.items():
            values.append(finite(score[metric]))
    return found


def _frame_scores(scores: Sequence[FrameScore]) -> dict[str, list[list[int | float | None]]]:
    found: dict[str, list[list[int | float | None]]] = {}
    for score in scores:
        own = found.setdefault(score.method, [])
        if score.frame == 0:
            own.append([])
        own[-1].append(finite(score.psnr))
    return found
