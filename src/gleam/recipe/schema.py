"""The fields of a recipe, what they mean, and which fit each other."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from gleam.recipe.part import FilePath, Part

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


STEPS = 2000  # of training, if nothing is said

# What training says where one module holds all iterations: the network is trained end-to-end.
END_TO_END: dict[str, Any] = {"modules": 1, "overlap": 0, "loss_weights": "flat"}


class MaskRecipe(Part):
    """Retrospective undersampling; the calibration region of the example is always kept."""

    kind: Literal["equispaced", "random", "poisson", "kt-random", "kt-golden", "kt-vista"] = (
        "equispaced"
    )
    """equispaced and random take lines along one axis, poisson takes points of two. kt-… takes
    other lines in every frame of a series, more in the centre: at random, advancing by the golden
    section, or interleaved as VISTA has them."""
    acceleration: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 4
    """All positions over sampled positions, calibration included; of every frame."""
    shutter: bool = False
    """poisson: leave the corners out, beyond an ellipse; the acceleration counts them still, unless
    the scanner left them out itself."""

    @model_validator(mode="after")
    def _fits(self) -> "MaskRecipe":
        if self.shutter and self.kind != "poisson":
            raise ValueError(
                f"shutter cuts the corners of two axes, but kind {self.kind} undersamples one; "
                "leave it out or set kind: poisson"
            )
        return self


class DataRecipe(Part):
    """Example files (from `gleam prepare`): folders or files."""

    train: FilePath = Path("prepared/train")
    """Examples to learn from; masks are drawn afresh in every step."""
    validation: FilePath | None = None
    """Examples to choose the best checkpoint on; one fixed mask per scan."""
    batch: Count = 1
    """Slices per step, or slabs of volumes."""
    slab: Count | None = None
    """Learn from slabs of so many positions along the readout of volumes, drawn afresh in every
    step; null takes volumes whole. Validation takes slabs of this size, or larger ones."""
    margin: Annotated[int, Field(ge=0)] | None = None
    """Positions on either side that a slab is longer by, where the loss does not look; null: as
    far as one iteration looks."""

    @model_validator(mode="after")
    def _margin_of_slab(self) -> "DataRecipe":
        if self.margin is not None and self.slab is None:
            raise ValueError("margin: is that of slabs; set data.slab too")
        return self


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

    family: Literal["modl", "pgd", "reversible"] = "modl"
    """modl: model-based, conjugate gradients inside. pgd: proximal gradient. reversible: two
    streams of proximal gradient, which can be undone exactly."""
    iterations: Annotated[int, Field(ge=1, le=1000)] = 16
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


class TrainingRecipe(Part):
    """How gradients flow, and the optimizer."""

    start: FilePath | None = None
    """Run whose weights the first iterations start from; by default all are drawn."""
    frozen: Annotated[int, Field(ge=0)] = 0
    """How many of these stay as they are: only the iterations after them are trained."""
    modules: Count | list[Count] = 8
    """Modules of (nearly) equal length, or the number of iterations of each. 1 is end-to-end."""
    overlap: Annotated[int, Field(ge=0)] = 0
    """How many of the modules before it a module's loss also reaches back into."""
    storage: Literal["store", "checkpoint", "invert", "offload"] = "store"
    """What a module keeps for its backward pass: all activations; an image per iteration;
    its output alone, from which the rest is found by inversion; all, but in host memory."""
    offload_to: FilePath | None = None
    """Folder for a memory-mapped file that `storage: offload` uses instead of host memory."""
    loss_weights: Literal["flat", "ramped", "last"] = "flat"
    """Of the modules' losses: all 1; rising evenly to 1; the last one's only."""
    loss: Literal["l1", "l2", "l1+ssim"] = "l1"
    """On complex images (SSIM on magnitudes), against the same target for every module."""
    steps: Count = STEPS
    minutes: Positive | None = None
    """Instead of steps: as many as take so long, validation apart. Timed once, when training
    begins, on a network that is thrown away; the run's recipe says the steps."""
    learning_rate: Positive = 1e-3
    """Of Adam, at its highest."""
    warmup: Annotated[int, Field(ge=0)] = 50
    """Steps of linear increase to it; then a cosine takes it to zero."""
    clip: Positive | None = 1.0
    """Largest norm of a module's gradient; null for none."""
    validate_every: Count = 500
    checkpoint_every: Count = 500
    polish: Annotated[int, Field(ge=0)] = 0
    """Steps end-to-end, under checkpointing and at a third of the learning rate, that follow: a run
    of its own, in the folder `polished` of the run's."""
    keep: Count = 2
    """How many of the last checkpoints stay (and the best one)."""

    @model_validator(mode="after")
    def _one_length(self) -> "TrainingRecipe":
        if self.minutes is not None and self.steps != STEPS:
            raise ValueError(
                f"minutes: {self.minutes:g} say how long, and so do steps: {self.steps}; "
                f"leave out one of the two (steps are {STEPS} if not said)"
            )
        return self


class Recipe(Part):
    """A whole experiment."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    data: DataRecipe = DataRecipe()
    mask: MaskRecipe = MaskRecipe()
    network: NetworkRecipe = NetworkRecipe()
    training: TrainingRecipe = TrainingRecipe()

    @model_validator(mode="after")
    def _fits(self) -> "Recipe":
        n, t = self.network, self.training
        modules = len(self.module_sizes())
        if t.overlap >= modules:
            raise ValueError(
                f"training.overlap is {t.overlap} but there are {modules} modules; "
                f"give at most {modules - 1}"
            )
        if t.loss_weights == "last" and t.overlap < modules - 1:
            raise ValueError(
                "training.loss_weights: last leaves modules without a loss that reaches them; "
                f"it needs training.overlap: {modules - 1}"
            )
        if n.regulariser.coupling and n.family == "reversible":
            raise ValueError(
                "network.regulariser.coupling: the reversible family is invertible without it"
            )
        if n.regulariser.inputs and (n.family == "reversible" or n.regulariser.coupling):
            raise ValueError(
                "network.regulariser.inputs: what can be undone is shown the image alone; leave "
                "it empty with family reversible and with coupling"
            )
        if t.storage == "invert" and n.family != "reversible":
            if not n.regulariser.coupling:
                raise ValueError(
                    f"training.storage: invert cannot undo family {n.family}, whose CNN has no "
                    "inverse; set network.family: reversible or network.regulariser.coupling: true"
                )
            if n.family == "modl" and n.cg_tolerance is None:
                raise ValueError(
                    "training.storage: invert undoes only solves to a tolerance; set "
                    "network.cg_tolerance, say 1e-6"
                )
        if t.frozen and t.start is None:
            raise ValueError(
                f"training.frozen: {t.frozen} iterations that were never trained; name the run "
                "they are of with training.start"
            )
        if t.offload_to is not None and t.storage != "offload":
            raise ValueError("training.offload_to is for training.storage: offload only")
        return self

    def lasting(self, steps: int) -> "Recipe":
        """The recipe with so many steps, validated as often in all."""
        t = self.training
        every = max(1, round(t.validate_every * steps / t.steps))
        return self.changed(training={"steps": steps, "minutes": None, "validate_every": every})

    def loss_weights(self) -> list[float]:
        """Of each module's loss."""
        modules = len(self.module_sizes())
        if self.training.loss_weights == "flat":
            return [1.0] * modules
        if self.training.loss_weights == "ramped":
            return [(m + 1) / modules for m in range(modules)]
        return [0.0] * (modules - 1) + [1.0]

    def module_sizes(self) -> list[int]:
        """Iterations of each module; every iteration that is trained belongs to exactly one.

        Raises:
            ValueError: they do not add up to the iterations that are trained.
        """
        modules, frozen = self.training.modules, self.training.frozen
        iterations = self.network.iterations - frozen
        less = f", of which {frozen} are frozen" if frozen else ""
        if isinstance(modules, int):
            if modules > iterations:
                raise ValueError(
                    f"training.modules is {modules} but network.iterations only "
                    f"{self.network.iterations}{less}; a module holds at least one iteration"
                )
            return [math.ceil((iterations - m) / modules) for m in range(modules)]
        if sum(modules) != iterations:
            raise ValueError(
                f"training.modules {modules} add up to {sum(modules)}, "
                f"but network.iterations is {self.network.iterations}{less}"
            )
        return list(modules)
