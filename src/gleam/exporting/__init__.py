"""A trained network leaves: as a folder, as a program of torch.export, or as one of ONNX.

What is here may import all but the command line and the public face; begin with `export`. Reading
what was exported is `gleam.reconstruction.exported`.
"""

from collections.abc import Callable
from pathlib import Path

from gleam.data.trained_on import TrainedOn
from gleam.errors import BadInput
from gleam.exporting import folder, pt2
from gleam.exporting.program import check, traced
from gleam.files import check_new
from gleam.physics.fourier import Axes
from gleam.physics.sampling import DIMENSIONS
from gleam.recipe import Recipe
from gleam.reconstruction.exported import INPUTS, Facts
from gleam.runs.dry_run import kind_of_data
from gleam.runs.run import Run
from gleam.words import counted

__all__ = ["export"]


def export(run: Path, to: Path, axes: str | None = None, force: bool = False) -> Facts:
    """Write a run's network so that it can be used elsewhere.

    Args:
        run: its folder.
        to: a folder; or a .pt2 or .onnx file.
        axes: of a file, the space axes that scans will be undersampled along: "x", or "y x". By
            default the last ones that the masks of its training take.
        force: replace what is there.

    Returns:
        What was exported.

    Raises:
        BadInput: the folder is not a run; the network cannot be exported so; or something is there.
    """
    trained = Run(run)
    recipe, network = trained.recipe, trained.network
    known = anonymous(trained.trained_on)
    kind = kind_of_data(recipe)
    depth = counted(recipe.network.iterations, "iteration")
    space = 3 if kind == "volumes" else 2
    facts = Facts(
        words=f"neural network, {recipe.network.title} of {depth}",
        axes=_axes(axes, recipe, space),
        sets=recipe.network.sets,
        inputs=INPUTS,
        first_image=recipe.network.first_image,
        consistent=recipe.network.ends_consistent,
        trained_on=known,
    )
    check_new(to, force)
    if to.suffix not in (".pt2", ".onnx"):
        if to.suffix:
            raise BadInput(f"{to}: is no folder, and no .pt2 or .onnx file; give one of these")
        if axes is not None:
            raise BadInput("export: --axes is for .pt2 and .onnx files; a folder takes any")
        folder.write(run, to, recipe, network, facts)
        return facts
    write: Callable[..., None] = pt2.write
    if to.suffix == ".onnx":
        from gleam.exporting import onnx

        write = onnx.write
    check(recipe.network)
    program, inputs = traced(network, space, facts.axes, facts.sets, kind == "2D series")
    facts = facts.model_copy(update={"inputs": inputs})
    write(program, facts, to)
    return facts


def anonymous(known: TrainedOn) -> TrainedOn:
    """The record without the names of scans, which may be those of people; their fingerprints
    stay."""
    blank = {name: dict.fromkeys(getattr(known, name), "") for name in ("training", "validation")}
    return TrainedOn.model_validate(known.model_dump() | blank)


def _axes(text: str | None, recipe: Recipe, space: int) -> Axes:
    if text is None:
        return tuple(range(-DIMENSIONS[recipe.mask.kind], 0))
    names = text.split()
    known = "zyx"[3 - space :]
    if not names or len({*names}) < len(names) or not {*names} <= {*known}:
        raise BadInput(f"export: --axes is some of {', '.join(known)}, as 'y x'; not {text!r}")
    return tuple(sorted("zyx".index(name) - 3 for name in names))
