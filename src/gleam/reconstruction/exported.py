"""`Exported`: a network that left as one file, .pt2 of torch.export or .onnx (see `gleam export`).

Such a file takes tensors, and says beside them what `Facts` holds. torch loads a .pt2 through
pickle, which runs code that is in it; so that takes the user's trust. An .onnx is data.
"""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from gleam import trust
from gleam.arrays import Image
from gleam.data.trained_on import TrainedOn
from gleam.errors import BadInput
from gleam.files import check_exists, sha256_of
from gleam.physics.classical import CLASSICAL
from gleam.physics.measurement import Measured, Measurement
from gleam.physics.noise import USUAL_NOISE
from gleam.physics.slabs import Slabbed
from gleam.reconstruction.reconstructor import CPU, Reconstructor
from gleam.words import not_installed

SUFFIXES = (".pt2", ".onnx")  # of networks that were exported as one file

FACTS = "gleam.json"  # of a .pt2, and the key of an .onnx's metadata
INPUTS = ("maps", "mask", "adjoint", "noise")  # of every program
MORE = ("kspace", "first")  # what some take after these: one of them

Run = Callable[[Mapping[str, Tensor]], Tensor]


class Facts(BaseModel):
    """Facts about an exported network.

    Attributes:
        version: of this record.
        words: what it is, for those who see its images.
        axes: that F runs along; others it cannot.
        sets: of maps.
        inputs: the names of what it takes, in order: `INPUTS`, and perhaps one of `MORE`.
        first_image: of `gleam.recipe.NetworkRecipe`; a program takes it ready made.
        consistent: whether data consistency is its last step; None where only the network knows.
        trained_on: see `TrainedOn`; scans without their names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    words: str
    axes: tuple[int, ...]
    sets: int
    inputs: tuple[str, ...]
    first_image: str = "zero-filled"
    consistent: bool | None
    trained_on: TrainedOn


@dataclass(frozen=True)
class Exported(Reconstructor):
    """A network that was exported.

    Attributes:
        run: tensors by name → the image.
        facts: what it is.
        fingerprint: of its file.
        force: see `Reconstructor`.
    """

    run: Run
    facts: Facts
    fingerprint: str = ""
    force: bool = False

    @classmethod
    def of(cls, path: Path, device: torch.device = CPU, force: bool = False) -> "Exported":
        """Read one.

        Raises:
            BadInput: it is not there, broken, or of a later version; a .pt2 is not trusted, or an
                .onnx cannot be run for want of onnxruntime.
        """
        check_exists(path, "make one with `gleam export`")
        load = _pt2 if path.suffix == ".pt2" else _onnx
        run, text = load(path, device)
        return cls(str(path), run, _facts(text, path), sha256_of(path), force, device=device)

    @property
    def words(self) -> str:
        """The network in words."""
        return self.facts.words

    @property
    def sets(self) -> int:
        """Map sets."""
        return self.facts.sets

    @property
    def trained_on(self) -> TrainedOn:
        """Data that its network has learnt from."""
        return self.facts.trained_on

    def content(self) -> Iterator[bytes]:
        """Its file."""
        yield self.fingerprint.encode()

    def _images(self, measurement: Measured) -> Iterator[Image]:
        axes = self.facts.axes
        if measurement.axes != axes:
            wanted, have = (" ".join("zyx"[a] for a in some) for some in (measurement.axes, axes))
            raise BadInput(
                f"{self.name}: was exported for undersampling along {have}, this scan needs "
                f"{wanted}; export it again with --axes '{wanted}'"
            )
        # A slab of a volume is no volume, but a slab of slices is as many of them.
        ready = measurement.whole() if isinstance(measurement, Slabbed) else measurement
        yield ready.advance(self._made, CLASSICAL[self.facts.first_image](ready))

    def _made(self, first: Image, part: Measurement) -> Image:
        """The images of a measurement from those that the first iteration starts from; a program
        takes one slice at a time."""
        images, mask, noise = [], part.mask, part.noise
        for k in range(len(first)):
            given = {
                "maps": part.sense.maps[k : k + 1],
                "mask": mask[k : k + 1] if len(mask) > 1 else mask,
                "adjoint": part.adjoint[k : k + 1],
                "noise": torch.tensor([USUAL_NOISE]) if noise is None else noise[k : k + 1].cpu(),
            }
            if "kspace" in self.facts.inputs:
                given["kspace"] = part.kspace()[k : k + 1]
            if "first" in self.facts.inputs:
                given["first"] = first[k : k + 1]
            images.append(self.run(_padded(given)).to(first.device))
        return torch.cat(images)


def _padded(given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The measurement with a second coil that sees nothing, where there is only one: sizes of 1 are
    fixed ones."""
    if given["maps"].shape[2] > 1:
        return given
    twice = {"maps": torch.cat([given["maps"], torch.zeros_like(given["maps"])], 2)}
    if "kspace" in given:
        twice["kspace"] = torch.cat([given["kspace"], torch.zeros_like(given["kspace"])], 1)
    return given | twice


def _facts(text: str, path: Path) -> Facts:
    try:
        return Facts.model_validate_json(text)
    except (ValidationError, ValueError) as error:
        raise BadInput(
            f"{path}: does not say what it is, as a network of `gleam export` of this version does"
        ) from error


def _pt2(path: Path, device: torch.device) -> tuple[Run, str]:
    trust.check_file(path)
    if not zipfile.is_zipfile(path):
        raise BadInput(f"{path}: is broken, or no .pt2 file")
    extra = {FACTS: ""}
    try:
        program = torch.export.load(path, extra_files=extra)
        module = program.module().to(device)
    except Exception as error:  # whatever is in the file
        raise BadInput(f"{path}: cannot be loaded ({trust.told(error)[:200]})") from error

    def run(given: Mapping[str, Tensor]) -> Tensor:
        image: Tensor = module(
            *(given[name].to(device) for name in (*INPUTS, *MORE) if name in given)
        )
        return image

    return run, extra[FACTS]


def _onnx(path: Path, device: torch.device) -> tuple[Run, str]:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise BadInput(f"{path}: {not_installed('onnxruntime', 'onnx')}") from error
    try:
        wanted = ["CUDAExecutionProvider"] if device.type == "cuda" else []
        there = [one for one in wanted if one in onnxruntime.get_available_providers()]
        session = onnxruntime.InferenceSession(
            str(path), providers=[*there, "CPUExecutionProvider"]
        )
        text = session.get_modelmeta().custom_metadata_map.get(FACTS, "")
    except Exception as error:  # onnxruntime's own
        raise BadInput(f"{path}: is broken, or no .onnx file") from error
    taken = [one.name for one in session.get_inputs()]

    def run(given: Mapping[str, Tensor]) -> Tensor:
        feed = {name: _real(given[name]) for name in taken}
        (image,) = session.run(None, feed)
        return torch.view_as_complex(torch.from_numpy(np.ascontiguousarray(image)))

    return run, text


def _real(tensor: Tensor) -> Any:
    tensor = tensor.cpu().resolve_conj()
    parts = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    return parts.contiguous().numpy()
