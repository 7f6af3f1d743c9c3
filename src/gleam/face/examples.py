"""`prepare`: what is done once for a scan, so that reconstructing and training need not."""

import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from gleam import formats
from gleam.arrays import Image
from gleam.data.collate import Item, collate
from gleam.data.example import Example as Source
from gleam.data.example import ExampleFile, write
from gleam.data.masks import mask_seed
from gleam.errors import BadInput
from gleam.face.pictures import Drawn, Grey
from gleam.face.scans import identity, load
from gleam.face.words import checked_mask, in_python, path_of, whole_numbers
from gleam.files import check_new, make_folder
from gleam.physics.measurement import Measurement
from gleam.preparation.description import Facts, example_facts
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import MaskRecipe
from gleam.viewing.preview import of_example
from gleam.words import counted, sized


class Example(Drawn):
    """A prepared scan: k-space and sensitivity maps, and the target if it was fully sampled.

    Intensities are divided by one scale per scan, so that they are about 1. A notebook draws it.

    >>> data = gleam.open("examples/scan-0.h5")
    >>> data
    <Example 'scan-0': 2 slices, 3 coils, 1 frame, 32 × 48, 1 map set, with target>
    >>> data.shape  # (slice, coil, frame, *space)
    (2, 3, 1, 32, 48)

    Attributes:
        source: what the rooms below call an example; `source[i]` reads a slice of it.
    """

    def __init__(self, source: Source) -> None:
        self.source = source

    @property
    def name(self) -> str:
        """The scan's."""
        return self.source.header.name

    @property
    def shape(self) -> tuple[int, ...]:
        """(slice, coil, frame, *space), `space` being `y x`, or `z y x` with one slice."""
        return self.source.shape

    @property
    def complete(self) -> bool:
        """Whether the scan was fully sampled, so that there is a target."""
        return self.source.complete

    def facts(self) -> Facts:
        """Facts about the example, by name: sizes, Fourier axes, calibration, noise level,
        warnings, …"""
        return example_facts(self.source)

    @in_python()
    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write it as an example file, which training reads; .h5.

        Args:
            path: of the file.
            force: replace a file that is there.

        Raises:
            BadInput: the file is there, or cannot be written.
        """
        path = Path(path)
        if path.suffix != ".h5":
            raise BadInput(f"{path}: an example is an .h5 file; give it that suffix")
        check_new(path, force)
        make_folder(path.parent)
        write(self.source, path)
        return path

    @in_python()
    def measure(
        self,
        mask: MaskRecipe | None = None,
        *,
        slices: int | Iterable[int] | None = None,
        seed: int | None = None,
    ) -> tuple[Measurement, Image | None]:
        """The measurement that an image is reconstructed from, and the image that it should be.

        >>> A, target = data.measure(gleam.mask("equispaced", acceleration=4))
        >>> A
        <Measurement: image (2, 1, 1, 32, 48), <Sense: maps (2, 1, 3, 1, 32, 48), F along x, 25% \
sampled, cpu>>
        >>> gleam.cg_sense(A).shape  # (slice, set, frame, *space)
        torch.Size([2, 1, 1, 32, 48])

        Args:
            mask: undersamples a fully sampled scan; None takes all that was acquired.
            slices: which of them, one or several; all of them by default. A volume is one.
            seed: of the mask; by default the scan's own, which evaluation draws too.

        Returns:
            A: operator and Aᴴy (batch, set, frame, *space) complex64, a batch of slices.
            target: the same shape; None where the scan was undersampled when it was made.

        Raises:
            BadInput: there is no such slice; or the mask does not fit the scan.
        """
        mask, count = checked_mask(mask), self.shape[0]
        numbers = [*range(count)] if slices is None else whole_numbers(slices, "slices")
        if not numbers or not all(0 <= number < count for number in numbers):
            raise BadInput(f"{self.name}: has {counted(count, 'slice')}, from 0 on; not {numbers}")
        if mask is not None and not self.complete:
            raise BadInput(
                f"{self.name}: was undersampled when it was scanned; measure it without a mask"
            )
        drawn = mask_seed(self.name)
        if seed is not None:
            drawn, *more = whole_numbers(seed, "seed")
            if more or drawn < 0:
                raise BadInput(f"seed is {seed!r}; give a whole number, 0 or more")
        batch = collate([Item(self.source, number, drawn) for number in numbers], mask)
        return batch.measurement.whole(), batch.target

    def __array__(self, dtype: object = None, copy: object = None) -> NoReturn:
        raise TypeError("an example is no array; its measure() gives tensors of what it holds")

    def pictures(self) -> Sequence[Grey]:
        """The middle slice, or three planes of a volume, and where k-space was sampled."""
        return of_example(self.source).pictures()

    def __repr__(self) -> str:
        slices, coils, frames, *space = self.shape
        known = [counted(slices, "slice")] if len(space) == 2 else []
        known += [counted(coils, "coil"), counted(frames, "frame"), sized(space)]
        known.append(counted(self.source.sets, "map set"))
        known.append("with target" if self.complete else "undersampled")
        if odd := len(self.source.header.warnings):
            known.append(counted(odd, "warning"))
        return f"<Example {reprlib.repr(self.name)}: {', '.join(known)}>"


@in_python()
def prepare(
    scan: formats.Scan | str | Path,
    *,
    calibration: int | None = None,
    sets: int = 1,
    coils: int | None = None,
    reference: str | Path | None = None,
    noise: str | Path | None = None,
) -> Example:
    """Whiten and compress coils, find their sensitivities (ESPIRiT), bring k-space into shape.

    Slices are computed when they are asked for; `save` writes them all.

    >>> gleam.prepare(gleam.load("scan.h5"), calibration=10, coils=2)
    <Example 'scan': 2 slices, 2 coils, 1 frame, 32 × 48, 1 map set, with target>

    Args:
        scan: of `load`, or its file.
        calibration: lines in the centre of k-space along each phase-encoding axis, which
            sensitivities come from and masks keep; by default 8 % of them, 10 at least.
        sets: map sets; 2 where the object is larger than the field of view.
        coils: compress to so many virtual ones.
        reference: a scan file of the same coils to calibrate from, instead of the scan itself.
        noise: a file of noise of the same coils to whiten them with, instead of the scan's own.

    Raises:
        BadInput: the scan has no calibration region, or what is given does not fit it.
    """
    read = scan
    if not isinstance(read, formats.Scan):
        read = load(path_of(read, "a scan, or a scan file's path,"))
    if sets not in (1, 2) or (coils is not None and coils < 1):
        raise BadInput(f"prepare: sets is 1 or 2, coils 1 or more; not {sets!r} and {coils!r}")
    settings = replace(settings_of(calibration, coils, reference, noise), sets=sets)
    return Example(Prepared(read, settings, sha256=identity(read)))


def settings_of(
    calibration: int | None,
    coils: int | None,
    reference: Any,
    noise: Any,
) -> Settings:
    """Settings of preparation, of arguments as `prepare` has them."""
    return Settings(
        calibration,
        coils=coils,
        reference=None if reference is None else path_of(reference, "reference: a scan file"),
        noise=None if noise is None else path_of(noise, "noise: a file"),
    )


@in_python()
def open(path: str | Path) -> Example:
    """An example file, of `Example.save` or `gleam prepare`; what is asked for is read.

    >>> gleam.open("examples/scan-0.h5").complete
    True

    Raises:
        BadInput: there is no such file, or it is no example.
    """
    path = path_of(path, "an example file's path")
    if path.is_dir():
        raise BadInput(f"{path}: is a folder; open one of the example files in it")
    return Example(ExampleFile(path))


@in_python()
def mask(
    kind: str = "equispaced", *, acceleration: int | float = 4, shutter: bool = False
) -> MaskRecipe:
    """A mask of the samples to keep of a fully sampled scan; its calibration region always.

    >>> gleam.mask("poisson", acceleration=8)
    MaskRecipe(kind='poisson', acceleration=8.0, shutter=False)

    Args:
        kind: "equispaced" or "random" lines, "poisson" points of two axes, or lines that differ
            between the frames of a series: "kt-random", "kt-golden", "kt-vista".
        acceleration: positions over those that are kept, calibration included; 1 or more.
        shutter: leave out the corners of "poisson", beyond an ellipse.

    Raises:
        BadInput: there is no such kind, or they do not fit each other.
    """
    return MaskRecipe().changed(kind=kind, acceleration=acceleration, shutter=shutter)
