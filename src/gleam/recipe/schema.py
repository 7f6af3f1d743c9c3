"""The fields of a recipe, what they mean, and which fit each other."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from gleam.recipe.data import DataRecipe, HoldoutRecipe, MaskRecipe
from gleam.recipe.network import NetworkRecipe
from gleam.recipe.part import Count, FilePath, Part, Positive, Share

STEPS = 2000  # of training, if nothing is said

# What training says where one module holds all iterations: the network is trained end-to-end.
END_TO_END: dict[str, Any] = {"modules": 1, "overlap": 0, "loss_weights": "flat"}
# Of training: from drawn weights, and nothing that follows.
BY_ITSELF: dict[str, Any] = {
    "start": None,
    "frozen": 0,
    "copies": False,
    "stages": (),
    "polish": 0,
    "interpolation": 1.0,
}

INTERPOLATION = 0.75  # `TrainingRecipe.interpolation`, where a network learns from a scan or few


class StageRecipe(Part):
    """A deeper network that training goes on with: as the recipe, but for what is said here."""

    iterations: Count
    """Number of iterations; those beyond the stage before begin as copies of its last one."""
    modules: Count | list[Count] | None = None
    """Number of modules, or the iterations of each; null has modules as long as before."""
    steps: Count | None = None
    """Number of steps; null takes as many as the stage before, or as long."""
    minutes: Positive | None = None
    """Minutes to train for, instead of a number of steps."""
    learning_rate: Positive | None = None
    """Learning rate at its highest; null takes that of the stage before."""


class TrainingRecipe(Part):
    """The flow of gradients, and the optimizer."""

    target: Literal["image", "kspace", "mixed"] = "image"
    """Target that modules learn to predict. image: the image of fully sampled scans. kspace:
    samples that are held out of each scan, so no target is read. mixed: the image where a scan has
    one, held-out samples elsewhere."""
    holdout: HoldoutRecipe = HoldoutRecipe()
    """Samples that are held out, where k-space is learnt."""

    start: FilePath | None = None
    """Run whose weights the first iterations start from, or the name of a network that ships; null
    draws all weights."""
    frozen: Annotated[int, Field(ge=0)] = 0
    """Number of iterations taken from `start` that stay as they are: only those after them are
    trained."""
    copies: bool = False
    """Begin the iterations after those of `start` as copies of its last one; otherwise their
    weights are drawn."""
    interpolation: Share = 1.0
    """Place of the weights that are kept, on the way from those of `start` (0) to those learnt (1).
    Halfway keeps more of what the network knew (WiSE-FT: Wortsman et al., CVPR 2022). Validation
    judges those learnt."""
    stages: tuple[StageRecipe, ...] = ()
    """Deeper networks that follow, each a run of its own in the folders `stage-2`, `stage-3`, … of
    the run's: train a few iterations as long as it pays, then many that begin as copies."""
    modules: Count | list[Count] = 8
    """Number of modules, of (nearly) equal length, or a list of the iterations of each. 1 is
    end-to-end; more modules take less memory."""
    overlap: Annotated[int, Field(ge=0)] = 0
    """Number of earlier modules that a module's loss also reaches back into; 0 is greedy. More take
    more memory."""
    storage: Literal["store", "checkpoint", "invert", "offload"] = "store"
    """Memory that a module keeps for its backward pass. store: all activations. checkpoint: one
    image per iteration, and the rest is recomputed (activation checkpointing). invert: its output
    alone, and the rest is found by inversion. offload: all activations, in host memory."""
    offload_to: FilePath | None = None
    """Folder for a memory-mapped file that `storage: offload` uses instead of host memory."""
    idle: Literal["device", "host"] | FilePath = "device"
    """Place of the modules that are not at work, with their weights, gradients and optimizer
    states: on the device, in host memory (of which a CPU has no other), or in files in this folder,
    mapped into memory. It changes no number."""
    maps: Literal["device", "host"] = "device"
    """Place of the coil sensitivities of a batch: on the device, or in host memory, from where a
    GPU fetches those of a few coils at a time, whenever it needs them. It changes no number."""
    deterministic: bool = False
    """Compute with kernels that repeat themselves to the bit, at the price of time: see
    docs/schemes.md."""
    graph: Literal["auto", "never"] = "auto"
    """Record the kernels of a step as a CUDA graph, and replay it, where that can be; never
    launches each anew. No number changes: see docs/schemes.md."""
    loss_weights: Literal["flat", "ramped", "last"] = "flat"
    """Weight of each module's loss: all 1 (flat), rising evenly to 1 (ramped), or the last one's
    only (last)."""
    loss: Literal["l1", "l2", "l1+ssim"] = "l1"
    """Loss on complex images (SSIM on magnitudes), against the same target for every module."""
    steps: Count = STEPS
    """Number of steps, each an update of every module by one batch."""
    minutes: Positive | None = None
    """Minutes to train for instead of a number of steps, validation apart; null takes `steps`. The
    steps are timed once, when training begins, on a network that is thrown away; the run's recipe
    says how many they are."""
    learning_rate: Positive = 1e-3
    """Learning rate of Adam at its highest, after the warm-up."""
    consistency_rate: Positive = 1.0
    """Factor on the learning rate of the single numbers that data consistency learns (λ and its
    power of the noise level, or a step length); short training hardly moves them at 1."""
    warmup: Annotated[int, Field(ge=0)] | None = None
    """Number of first steps in which the learning rate rises linearly; then a cosine takes it to
    zero. null takes 50, or a tenth of the steps where that is fewer."""
    clip: Positive | None = 1.0
    """Largest norm of each module's gradient; larger gradients are scaled down to it, null leaves
    them."""
    patience: Count | None = None
    """Number of steps that each module's loss is averaged over, from the warm-up on. A module whose
    mean loss does not fall from those to the next ones stops: it runs forward only. When all have
    stopped, training ends. null has all learn to the last step; larger ones stop a module later,
    and less by chance."""
    least_fall: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """Share by which that mean has to fall; larger ones stop a module earlier."""
    validate_every: Count = 500
    """Number of steps from one validation to the next."""
    checkpoint_every: Count = 500
    """Number of steps from one checkpoint to the next; a run resumes from the last one."""
    polish: Annotated[int, Field(ge=0)] = 0
    """Number of steps end-to-end that follow, with activation checkpointing and at a third of the
    learning rate: a run of its own, in the folder `polished` of the run's."""
    keep: Count = 2
    """Number of last checkpoints that stay, beside the best one."""
    loggers: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ("tensorboard",)
    """Programs that are told of losses, validation and speed during training, beside the run's own
    files. wandb and mlflow send them where their own settings say."""

    @field_validator("idle")
    @classmethod
    def _clear(cls, idle: str | Path) -> str | Path:
        if isinstance(idle, Path) and str(idle) in ("device", "host"):
            raise ValueError(f"{idle} is no folder's name here; give the whole path of the folder")
        return idle

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
    """Seed of everything drawn: weights, order of the examples, masks. The same seed gives the same
    run."""
    data: DataRecipe = DataRecipe()
    mask: MaskRecipe = MaskRecipe()
    network: NetworkRecipe = NetworkRecipe()
    training: TrainingRecipe = TrainingRecipe()

    @model_validator(mode="before")
    @classmethod
    def _several_masks(cls, fields: Any) -> Any:
        """`mask: [first, …]` trains with all, and validates with the first."""
        masks = fields.get("mask") if isinstance(fields, dict) else None
        if not isinstance(masks, list | tuple):
            return fields
        if not masks:
            raise ValueError("mask: an empty list; give a mask, or several")
        data = fields.get("data", {})
        return fields | {"mask": masks[0], "data": dict(data) | {"masks": tuple(masks)}}

    @model_validator(mode="after")
    def _fits(self) -> "Recipe":
        n, t = self.network, self.training
        modules = len(self.module_sizes())
        if t.overlap >= modules:
            raise ValueError(
                f"training.overlap is {t.overlap} but there are {modules} modules; "
                f"give at most {modules - 1}"
            )
        if t.overlap and t.patience is not None:
            raise ValueError(
                f"training.patience: with training.overlap {t.overlap} a module also learns from "
                "later losses, so its own says not when to stop; set overlap: 0, or leave patience "
                "out"
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
        if t.storage == "invert" and n.family in ("modl", "pgd"):
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
        depths = [n.iterations, *(stage.iterations for stage in t.stages)]
        if depths != sorted(depths):
            raise ValueError(
                f"training.stages: of {', '.join(map(str, depths))} iterations, beginning with the "
                "recipe's own; each stage is at least as deep as the one before"
            )
        if t.copies and t.start is None:
            raise ValueError("training.copies: of what? name the run with training.start")
        if t.interpolation < 1 and t.start is None:
            raise ValueError("training.interpolation: from where? name the run with training.start")
        if t.frozen and t.start is None:
            raise ValueError(
                f"training.frozen: {t.frozen} iterations that were never trained; name the run "
                "they are of with training.start"
            )
        if self.data.masks and t.target == "kspace":
            raise ValueError(
                "data.masks: a scan whose held-out samples are learnt has one mask, or others "
                "would show them; give a single mask with training.target: kspace"
            )
        if t.maps == "host" and n.build is not None:
            raise ValueError(
                "training.maps: host is for the networks of this program; nobody knows what "
                f"{n.build} does with maps; leave it out"
            )
        if t.offload_to is not None and t.storage != "offload":
            raise ValueError("training.offload_to is for training.storage: offload only")
        return self

    @property
    def training_masks(self) -> tuple[MaskRecipe, ...]:
        """The masks that each step draws one of."""
        return self.data.masks or (self.mask,)

    @property
    def images_per_step(self) -> int:
        """Images that a step makes: its slices, each as often as samples of it are held out."""
        t = self.training
        return self.data.batch * (t.holdout.splits if t.target == "kspace" else 1)

    def lasting(self, steps: int) -> "Recipe":
        """The recipe with so many steps, validated as often in all."""
        t = self.training
        every = max(1, round(t.validate_every * steps / t.steps))
        return self.changed(training={"steps": steps, "minutes": None, "validate_every": every})

    def warmup(self) -> int:
        """Number of steps in which the learning rate rises."""
        t = self.training
        return min(50, t.steps // 10) if t.warmup is None else min(t.warmup, t.steps)

    def loss_weights(self) -> list[float]:
        """Weight of each module's loss."""
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
