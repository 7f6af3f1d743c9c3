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
    """Architecture. resnet: residual blocks at full resolution. unet: residual blocks on coarser
    grids, too."""
    width: Annotated[int, Field(ge=1, le=4096)] = 32
    """Features of each convolution (of a U-Net at full resolution, and twice as many at each
    coarser level). More learn more, and take memory in proportion. In 3D, a CPU is slow with fewer
    than 20480 / (y · x)."""
    blocks: Annotated[int, Field(ge=1, le=100)] = 2
    """Residual blocks, of two convolutions each (the paper: 2). A U-Net has so many at each level,
    half of them before the coarser levels and half after."""
    levels: Annotated[int, Field(ge=1, le=8)] | None = None
    """Number of times that a U-Net halves its grid; null means 2 for a U-Net. More see further."""
    kernel: Annotated[int, Field(ge=1, le=31)] = 3
    """Size of the convolutions in voxels along each axis, odd. Larger ones see further, and cost
    more."""
    dimensions: Literal[2, 3] = 2
    """Axes convolved over. 2: y x, slice by slice and frame by frame. 3: z y x, or frame y x."""
    circular: bool = False
    """Take frames as periodic (gated cine): the last comes before the first. It is for convolutions
    over frame y x only."""
    bf16: bool = False
    """Compute the regulariser, and it alone, in bfloat16: faster on GPUs that have it, less
    precise."""
    inputs: tuple[Literal["gradient", "change"], ...] = ()
    """Images given to it beside the current one. gradient: the gradient of data consistency, AᴴA x
    − Aᴴy. change: the difference that the iteration before made to the image. Both help greedy
    modules, at the memory of one image each."""
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
    """Kind of iteration. modl: model-based, conjugate gradients inside. pgd: proximal gradient.
    reversible: two streams of proximal gradient, which can be undone exactly. python: a network of
    your own, see `build`."""
    iterations: Annotated[int, Field(ge=1, le=1000)] = 16
    """Number of unrolled iterations, the network's depth. Deeper networks usually reconstruct
    better, and take longer; as more modules of the same length they take no more memory."""
    build: str | None = None
    """Function that makes the network of family python, package.module:function, called with
    `iterations` and the arguments below. It is imported only where --trust names its package."""
    arguments: dict[str, Any] = Field(default={})
    """Other arguments of the function that `build` names, by name."""
    dimensions: Literal[2, 3] = 2
    """Axes that a network of family python takes at once: 2 for slices, 3 for whole volumes or
    series."""
    first_image: Literal[
        "zero-filled", "cg-sense", "wavelet", "sliding-window", "temporal-tv", "low-rank"
    ] = "zero-filled"
    """Image that the first iteration starts from, reconstructed without learning. sliding-window:
    each frame of a series from those around it; without a series the same as cg-sense. wavelet, and
    for series temporal-tv and low-rank: compressed sensing, which applies A and Aᴴ 30 to 60
    times."""
    sets: Literal[1, 2] = 1
    """Number of ESPIRiT map sets of the examples, as they were prepared."""
    weight: Positive = 0.05
    """Weight λ of the regulariser in MoDL's data consistency, at the start of training and a noise
    level of 0.05. It is learnt, and so is how it follows the noise. Larger values trust the network
    more and the data less. Untrained iterations together trust the data like one of λ / iterations,
    so deep networks want more."""
    cg_steps: Count = 5
    """Conjugate gradient steps per iteration of MoDL, differentiated exactly. More solve it more
    closely, and take as much longer."""
    cg_tolerance: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Relative residual that MoDL solves to, instead of a fixed number of steps, with the implicit
    gradient; null takes `cg_steps`. Larger values end earlier."""
    step: Positive = 1.0
    """Step length μ of PGD at the start of training; it is learnt. The reversible family starts
    from it too, but from at most 3 / iterations."""
    patch: Literal["auto"] | tuple[Count, ...] | None = None
    """Positions that the regulariser is applied to at a time, [y, x], [z, y, x] or [frame, y, x]:
    patch by patch, each with a margin as far as the regulariser looks, forward and backward, so
    that one iteration need not fit into memory. auto: as few patches as take at most 1 GiB each.
    It changes no result beyond rounding, and takes longer: the regulariser is computed once more,
    and margins besides."""
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
        """Refuse what YAML, JSON and the command line do not all have, so that a run says what it
        was given."""
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
        axes = self.regulariser.dimensions
        if isinstance(self.patch, tuple) and len(self.patch) != axes:
            raise ValueError(
                f"patch: {list(self.patch)} are {len(self.patch)} numbers, but the regulariser "
                f"convolves over {axes} axes; give one for each, or auto"
            )
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
        """Number of axes that its convolutions run over, and the field that says so."""
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
_HOUSE = ("first_image", "weight", "cg_steps", "cg_tolerance", "step", "patch", "regulariser")
_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
