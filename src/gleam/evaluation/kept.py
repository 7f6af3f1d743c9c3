"""Results kept in a folder, a file for each method on each scan, so that none is computed twice.

A file holds the scores and the packed pictures of one method on one scan, and is found by what they
depend on: the method with its weights, the mask, and the example. Files are not trusted: one that
is damaged is computed anew.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch

from gleam.data.batch import Batch
from gleam.data.example import Example
from gleam.data.loader import every_slice
from gleam.evaluation.evaluate import ROOM, Evaluation, evaluate, mean_progress
from gleam.evaluation.examples import Pictured
from gleam.evaluation.fastmri import FastmriScore, Reference
from gleam.evaluation.scores import FrameScore, Score
from gleam.files import make_folder, replacing
from gleam.formats.upright import Plane, Upright
from gleam.recipe import MaskRecipe
from gleam.reconstruction.many import identity
from gleam.reconstruction.reconstructor import Reconstructor
from gleam.viewing.stack import Stack

RESULTS = "results"  # the folder, in one of an evaluation
VERSION = 1  # of what is computed and kept


class Kept:
    """Results in a folder, which is made when the first is written.

    Args:
        folder: theirs.
        fresh: take none that are there; those of the same are replaced.
    """

    def __init__(self, folder: Path, fresh: bool = False) -> None:
        self.folder, self.fresh = folder, fresh

    def get(self, mark: str, name: str) -> Evaluation | None:
        """The result of a method on a scan, by the name that it has now; None: there is none."""
        if self.fresh:
            return None
        try:
            with self._path(mark).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                facts = json.loads(file["facts"].tobytes())
                return _read(facts, file["planes"].tobytes(), name)
        except (OSError, ValueError, KeyError, TypeError, BadZipFile):
            return None

    def put(self, mark: str, result: Evaluation) -> None:
        """Write down a result.

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
    found, slices = list[Evaluation](), 0

    def followed(batches: Iterable[Batch]) -> Iterator[Batch]:
        for number, batch in enumerate(batches, slices):
            done(number)
            yield batch

    for example in examples:
        files = {
            name: _mark(method, marks.get(name, ""), mask, example)
            for name, method in methods.items()
        }
        parts = {name: kept.get(file, name) for name, file in files.items()}
        complete = {n: p for n, p in parts.items() if p and (p.pictures or room <= 0)}
        missing = {name: methods[name] for name in methods if name not in complete}
        if missing:
            batches = followed(every_slice([example], mask))
            for part in _apart(evaluate(missing, batches, room, raw)):
                complete[part.methods[0]] = part
                kept.put(files[part.methods[0]], part)
        one = _together([complete[name] for name in methods])
        room -= sum(picture.nbytes for picture in one.pictures)
        found.append(one)
        slices += example.shape[0]
        done(slices)
    return _joined(found)


def _joined(found: Sequence[Evaluation]) -> Evaluation:
    """The evaluation of the same methods on more scans.

    Seconds are the median of the scans'.
    """
    first = found[0]
    whole = Evaluation(
        methods=first.methods,
        slices=[score for one in found for score in one.slices],
        scans=[score for one in found for score in one.scans],
        frames=[score for one in found for score in one.frames],
        iterations={},
        seconds={m: median(one.seconds[m] for one in found) for m in first.methods},
        pictures=[picture for one in found for picture in one.pictures],
        fastmri=[score for one in found for score in one.fastmri],
        device="; ".join(dict.fromkeys(one.device for one in found)),
        progress={m: [p for one in found for p in one.progress[m]] for m in first.methods},
    )
    for method in first.methods:
        whole.iterations[method] = mean_progress(whole.progress[method])
    return whole


def _together(parts: Sequence[Evaluation]) -> Evaluation:
    """The result of more methods on the same scan."""
    pictures = [picture for part in parts for picture in part.pictures]
    images = {name: image for picture in pictures for name, image in picture.images.items()}
    return Evaluation(
        methods=[name for part in parts for name in part.methods],
        slices=[score for part in parts for score in part.slices],
        scans=[score for part in parts for score in part.scans],
        frames=[score for part in parts for score in part.frames],
        iterations={m: i for part in parts for m, i in part.iterations.items()},
        seconds={m: s for part in parts for m, s in part.seconds.items()},
        pictures=[replace(pictures[0], images=images)] if len(pictures) == len(parts) else [],
        fastmri=[score for part in parts for score in part.fastmri],
        device="; ".join(dict.fromkeys(part.device for part in parts)),
        progress={m: p for part in parts for m, p in part.progress.items()},
    )


def _apart(whole: Evaluation) -> Iterator[Evaluation]:
    """Each method by itself."""
    for method in whole.methods:
        yield Evaluation(
            methods=[method],
            slices=[score for score in whole.slices if score.method == method],
            scans=[score for score in whole.scans if score.method == method],
            frames=[score for score in whole.frames if score.method == method],
            iterations={method: whole.iterations[method]},
            seconds={method: whole.seconds[method]},
            pictures=[picture.of({method: method}) for picture in whole.pictures],
            fastmri=[score for score in whole.fastmri if score.method == method],
            device=whole.device,
            progress={method: whole.progress[method]},
        )


def _mark(method: Reconstructor, own: str, mask: MaskRecipe, example: Example) -> str:
    """Changes with everything that a result depends on."""
    header = example.header
    said = (VERSION, identity(method, mask), own, header.name, header.fingerprint, header.sha256)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]


def _written(result: Evaluation) -> tuple[dict[str, Any], bytes]:
    """Facts for JSON, and the packed planes one after the other."""
    facts: dict[str, Any] = {
        name: [asdict(score) for score in getattr(result, name)]
        for name in ("slices", "scans", "frames", "fastmri")
    }
    planes: list[bytes] = []

    def stack(one: Stack | None) -> dict[str, Any] | None:
        if one is None:
            return None
        planes.extend(one.planes)
        return {"size": one.size, "step": one.step, "lengths": [*map(len, one.planes)]}

    (method,) = result.methods
    pictures = [
        {
            **{name: getattr(p, name) for name in ("scan", "numbers", "volume", "white", "voxel")},
            "caption": p.caption,
            "planes": [asdict(plane) for plane in p.planes],
            "sampling": None if p.sampling is None else p.sampling.int().tolist(),
            "reference": stack(p.reference),
            "image": stack(p.images[method]),
        }
        for p in result.pictures
    ]
    facts |= {
        "pictures": pictures,
        "iterations": result.iterations[method],
        "seconds": result.seconds[method],
        "progress": result.progress[method],
        "device": result.device,
    }
    return facts, b"".join(planes)


def _read(facts: dict[str, Any], planes: bytes, method: str) -> Evaluation:
    """The other way round."""
    at = 0

    def stack(said: dict[str, Any] | None) -> Stack | None:
        nonlocal at
        if said is None:
            return None
        parts = []
        for length in said["lengths"]:
            parts.append(planes[at : at + length])
            at += length
        return Stack(tuple(said["size"]), float(said["step"]), tuple(parts))

    pictures = []
    for said in facts["pictures"]:
        reference, image = stack(said["reference"]), stack(said["image"])
        assert image is not None
        sampling = said["sampling"]
        pictures.append(
            Pictured(
                said["scan"],
                said["numbers"],
                said["volume"],
                reference,
                {method: image},
                None if sampling is None else torch.tensor(sampling, dtype=torch.bool),
                said["white"],
                tuple(said["voxel"]),
                _upright(said["planes"]),
                said["caption"],
            )
        )
    return Evaluation(
        methods=[method],
        slices=[Score(**score | {"method": method}) for score in facts["slices"]],
        scans=[Score(**score | {"method": method}) for score in facts["scans"]],
        frames=[FrameScore(**score | {"method": method}) for score in facts["frames"]],
        iterations={method: facts["iterations"]},
        seconds={method: facts["seconds"]},
        pictures=pictures,
        fastmri=[FastmriScore(**score | {"method": method}) for score in facts["fastmri"]],
        device=facts["device"],
        progress={method: facts["progress"]},
    )


def _upright(said: list[dict[str, Any]]) -> Upright:
    z, y, x = (Plane(p["name"], p["transposed"], (p["flipped"][0], p["flipped"][1])) for p in said)
    return z, y, x
