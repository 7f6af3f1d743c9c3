"""Options of a scan that is read from its file: its undersampling and its preparation."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from gleam.cli.arguments import Flag, Group, LayoutArguments, NoiseFile
from gleam.errors import BadInput
from gleam.physics.sampling import Kind
from gleam.recipe import MaskRecipe

if TYPE_CHECKING:
    from gleam.preparation.prepare import Settings


@dataclass(frozen=True)
class ScanArguments:
    """Fields of several verbs, which stand among their own."""

    acceleration: float | None = None
    """Undersample a fully sampled scan by this factor first; by default it is taken as it is.
    Larger factors leave fewer samples."""
    mask: Kind = "equispaced"
    """Kind of mask to undersample by, with --acceleration."""
    shutter: Flag = False
    """Leave out the corners of k-space, with --mask poisson."""
    calibration: int | None = None
    """Calibration lines used; by default all there are, up to 32 (8 % of a full scan). 0 takes the
    average over time instead."""
    coils: int | None = None
    """Number of virtual coils to compress to first; by default all coils are kept."""
    reference: Path | None = None
    """Scan file to calibrate coils from, of the same coils and place; for a scan whose own centre
    of k-space was not sampled in full."""
    noise: NoiseFile = None
    group: Group = None
    part: str | None = None
    """Name of one scan, where a measurement falls into several; by default all of them, each an
    image NAME-PART."""
    array: Annotated[LayoutArguments, tyro.conf.arg(name="")] = field(
        default_factory=LayoutArguments
    )

    def mask_recipe(self, verb: str) -> MaskRecipe | None:
        """The mask that it is undersampled by first; None where it is not.

        Raises:
            BadInput: what was said of the mask does not fit.
        """
        if self.acceleration is None:
            return None
        if not self.acceleration >= 1:
            raise BadInput(f"{verb}: --acceleration is 1 or more, not {self.acceleration}")
        if self.shutter and self.mask != "poisson":
            raise BadInput(f"{verb}: --shutter cuts corners of a poisson mask, not of {self.mask}")
        return MaskRecipe(kind=self.mask, acceleration=self.acceleration, shutter=self.shutter)

    def settings(self) -> "Settings":
        """Settings of its preparation, with one map set.

        Raises:
            BadInput: the noise cannot be read, or the axes of an array cannot be understood.
        """
        from gleam.preparation.noise_file import checked_noise
        from gleam.preparation.prepare import Settings

        layout = self.array.layout
        noise = checked_noise(self.noise, layout)
        return Settings(
            self.calibration,
            coils=self.coils,
            layout=layout,
            reference=self.reference,
            measurement=self.group,
            noise=noise,
        )
