"""Recipe of the data: examples, how they are undersampled, and which samples are held out."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from gleam.recipe.part import Count, FilePath, Part


class MaskRecipe(Part):
    """Retrospective undersampling; the calibration region of the example is always kept."""

    kind: Literal["equispaced", "random", "poisson", "kt-random", "kt-golden", "kt-vista"] = (
        "equispaced"
    )
    """Sampling pattern. equispaced and random take lines along one axis, poisson takes points of
    two. kt-… takes other lines in every frame of a series, more in the centre: at random, advancing
    by the golden section, or interleaved as VISTA has them."""
    acceleration: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 4.0
    """Acceleration factor of every frame: all positions over sampled ones, calibration included.
    Larger factors leave fewer samples."""
    shutter: bool = False
    """Leave out the corners of k-space, beyond an ellipse, in poisson masks; the acceleration
    counts them still, unless the scanner left them out itself."""

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
    masks: tuple[MaskRecipe, ...] = ()
    """Masks to learn with, of several kinds and accelerations; each step draws one of them. Empty:
    the recipe's `mask` alone, which validation has in any case. `mask: [first, second, …]` is a
    short way to say them: all are learnt with, and validation has the first."""
    batch: Count = 1
    """Number of slices per step, or of slabs of volumes. Larger batches take more memory, and give
    gradients with less noise."""
    slab: Count | None = None
    """Length of the slabs that are learnt from, in positions along the readout of volumes; slabs
    are drawn afresh in every step, null takes volumes whole. Validation takes slabs of this size,
    or larger ones. Longer slabs take more memory."""
    volumes: Literal["whole", "slices"] = "whole"
    """Volumes as they are (whole), or as stacks of slices across a readout that was sampled in full
    (slices), each to be reconstructed by itself: for networks of slices, in the memory of one."""
    margin: Annotated[int, Field(ge=0)] | None = None
    """Positions that a slab is longer by on either side, where the loss does not look; null is as
    many as one iteration sees."""

    @model_validator(mode="after")
    def _margin_of_slab(self) -> "DataRecipe":
        if self.margin is not None and self.slab is None:
            raise ValueError("margin: is that of slabs; set data.slab too")
        return self


class HoldoutRecipe(Part):
    """Acquired samples that are held out, for training without targets."""

    pattern: Literal["lines", "segments", "samples", "mixed"] = "lines"
    """Unit that is held out: whole lines; segments of 16 positions of a line along its readout; or
    single samples, as far as the readout was sampled in full. mixed: another of these in each step,
    and a guard of whole lines (of a scan of few lines: no whole ones)."""
    share: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Share of the samples outside the centre that is held out, drawn anew in every step: the loss
    is their prediction. Larger ones leave less to reconstruct from."""
    splits: Count = 3
    """Number of times that a slice is in a step's batch, each time without other samples: with a
    share of a third, three splits predict all that lies outside the centre. More give gradients
    with less noise, and take as many times the memory and nearly the time."""
    guard: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the samples that no step sees, of scans that are both learnt from and validated;
    validation is their prediction. Larger ones judge better, and leave less to learn from."""

    @model_validator(mode="after")
    def _no_sample_twice(self) -> "HoldoutRecipe":
        if self.splits * self.share > 1:
            raise ValueError(
                f"share: {self.splits} splits of {self.share:g} are more than all samples; give at "
                f"most {1 / self.splits:.2g}, or fewer splits"
            )
        return self


# Where one scan is learnt from for many steps: none of them needs to see all of it.
OF_ONE_SCAN = HoldoutRecipe(pattern="mixed", splits=1)
