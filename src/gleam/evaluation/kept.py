"""Results kept in a folder, a file for each method on each scan, so that none is computed twice.

A file holds the scores and the packed pictures of one method on one scan, and is found by what they
depend on: the method with its weights, the mask, and the example. Files are not trusted: one that
is damaged is computed anew.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch

from gleam.data.batch import Batch
from gleam.data.example import Example
from gleam.data.loader import every_slice
from gleam.evaluation.evaluate import ROOM, scored
from gleam.evaluation.examples import Pictured
from gleam.evaluation.fastmri import FastmriScore, Reference
from gleam.evaluation.result import Evaluation, ScanResult, picture_of, together
from gleam.evaluation.scores import FrameScore, Score
from gleam.files import make_folder, replacing
from gleam.formats.upright import Plane, Upright
from gleam.recipe import MaskRecipe
from gleam.reconstruction.many import identity
from gleam.reconstruction.reconstructor import Reconstructor
from gleam.viewing.stack import Stack

RESULTS = "results"  # the folder, in one of an evaluation
VERSION = 1  # of what is computed and kept
_PLAIN = ("scan", "numbers", "volume", "white", "voxel", "caption")  # of a picture, as JSON has it


class Kept:
    """Results in a folder, which is made when the first is written.

    Args:
        folder: theirs.
        fresh: take none that are there; those of the same are replaced.
    """

    def __init__(self, folder: Path, fresh: bool = False) -> None:
        self.folder, self.fresh = folder, fresh

    def get(self, mark: str, name: str) -> ScanResult | None:
        """The result of a method on a scan, by the name that it has now; None: there is none."""
        if self.fresh:
            return None
        try:
            with self._path(mark).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                facts = json.loads(file["facts"].tobytes())
                return _read(facts, file["planes"].tobytes(), name)
        except (OSError, ValueError, LookupError, TypeError, BadZipFile):
            return None

    def put(self, mark: str, result: ScanResult) -> None:
        """Write down a result of a method on a scan.

        Raises:
            BadInput, Unwritable: see `gleam.files`.
        """
        facts, planes = _written(result)
        make_folder(self.folder)
        text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        with replacing(self._path(mark)) as temporary, temporary.open("wb") as file:
            np.savez(file, facts=text, planes=np.frombuffer(planes, np.uint8))

    def _path(self, mark: str) -> Path:
        return self.folder / f"{mark}.npz"


def evaluate_kept(
    methods: Mapping[str, Reconstructor],
    examples: Sequence[Example],
    mask: MaskRecipe,
    kept: Kept,
    marks: Mapping[str, str] = MappingProxyType({}),
    *,
    room: int = ROOM,
    raw: Mapping[str, Reference] = MappingProxyType({}),
    done: Callable[[int], None] = lambda slices: None,
) -> Evaluation:
    """Evaluate as `evaluate` does, where only what is missing is computed.

    Args:
        methods, room, raw: see there.
        examples: the test set; with targets.
        mask: of every scan.
        kept: results that are there, and where new ones go.
        marks: what a method's results depend on beside its weights, a network's recipe say.
        done: is told how many slices are.

    Raises:
        BadInput: see `evaluate`.
    """
    found, slices = list[dict[str, ScanResult]](), 0

    def followed(batches: Iterable[Batch]) -> Iterator[Batch]:
        for number, batch in enumerate(batches, slices):
            done(number)
            yield batch

    for example in examples:
        files = {
            name: _mark(method, marks.get(name, ""), mask, example)
            for name, method in methods.items()
        }
        known = {name: kept.get(file, name) for name, file in files.items()}
        there = {n: one for n, one in known.items() if one and (one.picture or room <= 0)}
        missing = {name: methods[name] for name in methods if name not in there}
        if missing:
            batches = followed(every_slice([example], mask))
            (made,) = scored(missing, batches, room, raw)
            for name, one in made.items():
                kept.put(files[name], one)
            there |= made
        found.append({name: there[name] for name in methods})
        picture = picture_of(found[-1])
        room -= 0 if picture is None else picture.nbytes
        slices += example.shape[0]
        done(slices)
    return together(found)


def _mark(method: Reconstructor, own: str, mask: MaskRecipe, example: Example) -> str:
    """Changes with everything that a result depends on."""
    header = example.header
    said = (VERSION, identity(method, mask), own, header.name, header.fingerprint, header.sha256)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]


def _written(result: ScanResult) -> tuple[dict[str, Any], bytes]:
    """Facts for JSON, and the packed planes one after the other."""
    planes: list[bytes] = []

    def stack(one: Stack | None) -> dict[str, Any] | None:
        if one is None:
            return None
        planes.extend(one.planes)
        return {"size": one.size, "step": one.step, "lengths": [*map(len, one.planes)]}

    def picture(one: Pictured) -> dict[str, Any]:
        (image,) = one.images.values()
        return {
            **{name: getattr(one, name) for name in _PLAIN},
            "planes": [asdict(plane) for plane in one.planes],
            "sampling": None if one.sampling is None else one.sampling.int().tolist(),
            "reference": stack(one.reference),
            "image": stack(image),
        }

    facts = {
        "slices": [asdict(score) for score in result.slices],
        "scans": [asdict(result.whole)],
        "frames": [asdict(score) for score in result.frames],
        "fastmri": [asdict(result.fastmri)] if result.fastmri else [],
        "pictures": [picture(result.picture)] if result.picture else [],
        "progress": result.progress,
        "seconds": result.seconds,
        "device": result.device,
    }
    return facts, b"".join(planes)


def _read(facts: dict[str, Any], planes: bytes, method: str) -> ScanResult:
    """The other way round."""
    left, name = BytesIO(planes), {"method": method}

    def stack(said: dict[str, Any]) -> Stack:
        parts = tuple(left.read(length) for length in said["lengths"])
        return Stack(tuple(said["size"]), float(said["step"]), parts)

    def picture(said: dict[str, Any]) -> Pictured:
        sampling = said["sampling"]
        return Pictured(
            **{name: said[name] for name in _PLAIN if name != "voxel"},
            voxel=tuple(said["voxel"]),
            planes=_upright(said["planes"]),
            sampling=None if sampling is None else torch.tensor(sampling, dtype=torch.bool),
            reference=said["reference"] and stack(said["reference"]),
            images={method: stack(said["image"])},
        )

    return ScanResult(
        slices=[Score(**score | name) for score in facts["slices"]],
        whole=Score(**facts["scans"][0] | name),
        frames=[FrameScore(**score | name) for score in facts["frames"]],
        fastmri=next((FastmriScore(**score | name) for score in facts["fastmri"]), None),
        picture=next(map(picture, facts["pictures"]), None),
        progress=facts["progress"],
        seconds=facts["seconds"],
        device=facts["device"],
    )


def _upright(said: list[dict[str, Any]]) -> Upright:
    z, y, x = (Plane(p["name"], p["transposed"], (p["flipped"][0], p["flipped"][1])) for p in said)
    return z, y, x
