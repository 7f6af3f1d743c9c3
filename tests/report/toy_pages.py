"""Evaluations to look at, made from arrays: slices, a series, and a volume with letters on it."""

import numpy as np
import torch
from numpy.typing import NDArray

from gleam.evaluation.examples import pictured
from gleam.evaluation.result import Evaluation
from gleam.evaluation.scores import FrameScore, Score
from gleam.formats.upright import Upright

SIZE = 24
METHODS = ("zero-filled", "greedy")


def images(slices: int, frames: int = 1, seed: int = 0) -> dict[str, torch.Tensor]:
    """(slice, 1, frame, y, x): a target, one method far from it, one near; a blob that moves."""
    random = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    place = torch.arange(slices)[:, None] * 2 + 6 + torch.arange(frames) % 3
    far = (y - 13) ** 2 + (x - place[..., None, None]) ** 2
    shape = (slices, 1, frames, SIZE, SIZE)
    noise = torch.randn(shape, dtype=torch.complex64, generator=random)
    target = (0.3 + torch.exp(-far / 20))[:, None] * torch.exp(1j * x / 9).to(torch.complex64)
    return {
        "target": target,
        "zero-filled": 0.8 * target + 0.05 * noise,
        "greedy": target + 0.01 * noise.flip(0),
    }


def evaluation(
    scans: int = 3, slices: int = 4, frames: int = 1, methods: tuple[str, ...] = METHODS
) -> Evaluation:
    found = Evaluation([*methods], [], [], [], {}, {}, [], device="the CPU, 1 thread")
    for number in range(scans):
        name = f"scan-{number}"
        made = images(slices, frames, seed=number)
        found.pictures.append(
            pictured(
                name,
                range(slices),
                made["target"],
                {method: made.get(method, made["greedy"]) for method in methods},
                torch.arange(SIZE)[None].expand(SIZE, -1) % 3 == 0,
                (1.0, 1.0, 5.0),
            )
        )
        for k, method in enumerate(methods):
            rows = [
                score(method, name, z, 25 + 3 * k + 0.5 * number + 0.1 * z) for z in range(slices)
            ]
            found.slices.extend(rows)
            found.scans.append(score(method, name, None, 26 + 3 * k + 0.5 * number))
            if frames > 1:
                found.frames.extend(
                    FrameScore(method, name, z, t, 24 + 3 * k + 0.1 * t)
                    for z in range(slices)
                    for t in range(frames)
                )
    for k, method in enumerate(methods):
        found.iterations[method] = [20.0 + i for i in range(1 + 4 * k)]
        found.seconds[method] = 0.01 * (k + 1)
    return found


def score(method: str, scan: str, slice: int | None, psnr: float) -> Score:
    return Score(method, scan, slice, psnr, psnr + 1, 10 ** (-psnr / 20), psnr / 40)


def volume_evaluation(
    volume: NDArray[np.floating], voxel: tuple[float, ...], upright: Upright | None
) -> Evaluation:
    """Of one volume (z, y, x), whose method is half as bright."""
    target = torch.from_numpy(volume.astype(np.complex64))[None, None, None]
    found = Evaluation(["half"], [], [], [], {"half": [20.0]}, {"half": 0.1}, [])
    shown = pictured("letters", [0], target, {"half": 0.5 * target}, None, voxel, upright)
    found.pictures.append(shown)
    found.slices.append(score("half", "letters", 0, 6.0))
    found.scans.append(score("half", "letters", None, 6.0))
    return found
