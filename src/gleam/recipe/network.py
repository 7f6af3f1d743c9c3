"""The fields of a recipe's network, of the families of this program and of other people's."""

import math
import re
import reprlib
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from gleam.recipe.part import Count, Part, Positive


class RegulariserRecipe(Part):
    """The CNN in each iteration."""

    kind: Literal["resnet", "unet"] = "resnet"
    """resnet: residual blocks at full resolution. unet: on coarser grids too."""
    width: Annotated[int, Field(ge=1, le=4096)] = 32
    """Features of its convolutions (a U-Net: at full resolution, twice as many at each coarser
    level). In 3D, a CPU is slow with fewer than 20480 / (y · x)."""
    blocks: Annotated[int, Field(ge=1, le=100)] = 2
    """Residual blocks, two convolutions each (the paper: 2). A U-Net: of each level, half of them
    before the coarser levels and half after."""
    levels: Annotated[int, Field(ge=1, le=8)] | None = None
    """A U-Net: how often its grid is halved; 2 if not said."""
    kernel: Annotated[int, Field(ge=1, le=31)] = 3
    """Size of its convolutions, odd."""
    dimensions: Literal[2, 3] = 2
    """2: slice by slice, frame by frame. 3: over z y x, or over frame y x."""
    circular: bool = False
    """Frames are periodic (gated cine): the last comes before the first. Only over frame y x."""
    bf16: bool = False
    """Compute the regulariser (only) in bfloat16."""
    inputs: tuple[Literal["gradient", "change"], ...] = ()
    """What it is shown beside the image. gradient: of data consistency, AᴴA x − Aᴴy. change: what
    the iteration before did to the image. Both help greedy modules, at the cost of one image."""
    coupling: bool = False
    """Make it invertible (real and imaginary parts move each other), for `storage: invert`."""

    @field_validator("inputs")
    @classmethod
    def _once(cls, inputs: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(inputs)) < len(inputs):
            raise ValueError(f"names one twice: {', '.join(inputs)}")
        return inputs

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError(f"must be odd, not {kernel}")
        return kernel

    @model_validator(mode="after")
    def _fits(self) -> "RegulariserRecipe":
        if self.levels is not None and self.kind != "unet":
            raise ValueError(f"levels: a {self.kind} has none; leave it out, or set kind: unet")
        if self.circular and self.dimensions != 3:
            raise ValueError("circular: convolutions over frame y x have dimensions: 3")
        return self


class NetworkRecipe(Part):
    """The unrolled network."""

    family: Literal["modl", "pgd", "reversible", "python"] = "modl"
    """modl: model-based, conjugate gradients inside. pgd: proximal gradient. reversible: two
    streams of proximal gradient, which can be undone exactly. python: your own, see `build`."""
    iterations: Annotated[int, Field(ge=1, le=1000)] = 16
    build: str | None = None
    """python: what makes the network, package.module:function, called with `iterations` and the
    arguments below. It is imported only where --trust names its package."""
    arguments: dict[str, Any] = Field(default={})
    """python: the other arguments, by name."""
    dimensions: Literal[2, 3] = 2
    """python: 2 where it takes slices, 3 where it takes volumes, or series, whole."""
    first_image: Literal[
        "zero-filled", "cg-sense", "wavelet", "sliding-window", "temporal-tv", "low-rank"
    ] = "zero-filled"
    """What the first iteration starts from, reconstructed without learning. sliding-window: each
    frame of a series from those around it; of one frame the same as cg-sense. wavelet, and of
    series temporal-tv and low-rank: compressed sensing, 30 to 60 times A and Aᴴ."""
    sets: Literal[1, 2] = 1
    """ESPIRiT map sets of the examples."""
    weight: Positive = 0.05
    """MoDL: λ at the start and a noise level of 0.05; learnt, also how it follows the noise.
    Untrained iterations together trust the data like one of λ / iterations, so deep networks want
    more."""
    cg_steps: Count = 5
    """MoDL: conjugate gradient steps per iteration, differentiated exactly."""
    cg_tolerance: Annotated[float, Field(gt=0, lt=1)] | None = None
    """MoDL: solve to this relative residual instead, with the implicit gradient."""
    step: Positive = 1.0
    """PGD: the step μ at the start, learnt. Reversible: so, but at most 3 / iterations."""
    regulariser: RegulariserRecipe = RegulariserRecipe()

    @field_validator("build")
    @classmethod
    def _one_function(cls, build: str | None) -> str | None:
        if build is not None and not _REFERENCE.fullmatch(build):
            raise ValueError(f"is like package.module:function, not {reprlib.repr(build)}")
        return build

    @field_validator("arguments")
    @classmethod
    def _plain(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        """What YAML, JSON and the command line all have, so that a run says what it was given."""
        if not _plain(arguments):
            raise ValueError("are finite numbers, words, lists, and mappings from names only")
        if "iterations" in arguments:
            raise ValueError("iterations: is a field of its own; set network.iterations")
        return arguments

    @model_validator(mode="after")
    def _of_family(self) -> "NetworkRecipe":
        foreign = self.family == "python"
        if foreign and self.build is None:
            raise ValueError("build: family python needs it, as package.module:function")
        for name in _HOUSE if foreign else _FOREIGN:
            if getattr(self, name) != type(self).model_fields[name].default:
                advice = "say it in network.arguments" if foreign else "set network.family: python"
                raise ValueError(f"{name}: is not for family {self.family}; {advice}, or leave it")
        return self

    @property
    def title(self) -> str:
        """The network in a word, for reports."""
        return {"modl": "MoDL", "pgd": "PGD", "python": self.build}.get(self.family) or self.family

    @property
    def ends_consistent(self) -> bool | None:
        """Whether an iteration ends with data consistency; None where only the network knows."""
        return None if self.build is not None else self.family == "modl"

    @property
    def width(self) -> int | None:
        """Features of its convolutions; None where only the network itself knows."""
        return None if self.build is not None else self.regulariser.width

    @property
    def convolves(self) -> tuple[int, str]:
        """Over how many axes its convolutions run, and the field that says so."""
        if self.build is not None:
            return self.dimensions, "network.dimensions"
        return self.regulariser.dimensions, "network.regulariser.dimensions"


def _plain(value: Any, depth: int = 8) -> bool:
    if isinstance(value, dict):
        named = all(isinstance(name, str) and name.isidentifier() for name in value)
        return depth > 0 and named and all(_plain(one, depth - 1) for one in value.values())
    if isinstance(value, list):
        return depth > 0 and all(_plain(one, depth - 1) for one in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)


# Of fields that only some families have.
_FOREIGN = ("build", "arguments", "dimensions")
_HOUSE = ("first_image", "weight", "cg_steps", "cg_tolerance", "step", "regulariser")
_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
