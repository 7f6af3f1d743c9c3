"""Parsing a verb's arguments, with every mistake said in one line."""

import io
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, cast, get_args, get_origin

import tyro
import yaml
from pydantic import ValidationError

from gleam.errors import BadInput
from gleam.recipe import MaskRecipe, Part, Recipe, StageRecipe, first_problem
from gleam.words import nearest

if TYPE_CHECKING:
    from gleam.formats import Layout

T = TypeVar("T")

Device = Annotated[
    str,
    tyro.conf.arg(
        metavar="auto|cpu|cuda|cuda:N",
        help="Device to compute on; auto is what $GLEAM_DEVICE says, or else a GPU if any.",
    ),
]

Trust = Annotated[
    tyro.conf.UseAppendAction[tuple[str, ...]],
    tyro.conf.arg(
        metavar="MODULE",
        help="Python package of yours that recipes and runs may take their network from "
        "(network.build); give it as often as needed. No other code of theirs is run.",
    ),
]

Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff]  # --force, and no --no-force

NoiseFile = Annotated[
    Path | None,
    tyro.conf.arg(
        help="Noise of the same coils and bandwidth, to whiten the coils with instead of the "
        "scan's own, to a standard deviation of 1: an array (coil, samples) in .npy, .cfl or .mat, "
        "or a scan file, of which its noise scan is taken, or else all samples.",
    ),
]

Group = Annotated[
    str | None,
    tyro.conf.arg(
        help="Measurement to read, where a file holds several: dataset_1, say, of ISMRMRD, or 1 of "
        "twix; by default the last.",
    ),
]


@dataclass(frozen=True)
class LayoutArguments:
    """Layout of files of plain numbers (.mat, .npy, .cfl, bare .h5), which they do not say
    themselves."""

    axes: str | None = None
    """Axes of the array in a .mat, .npy, .cfl or bare .h5 file, in its own order: 'y x coil', from
    slice, coil, frame, z, y, x; y:readout marks the readout."""
    variable: str | None = None
    """Name of the array in a .mat or .h5 file; by default the only one that can be k-space."""
    oversampled: str | None = None
    """Axis of a readout that is oversampled, its field of view twice the image's: y. Or y:1.5 for
    another factor."""

    @property
    def layout(self) -> "Layout | None":
        """None where nothing was said.

        Raises:
            BadInput: words that are no axes, or not enough of them.
        """
        if self.axes is self.variable is self.oversampled is None:
            return None
        from gleam.formats import Layout

        return Layout.parse(self.axes, self.variable, self.oversampled)


def parse(kind: type[T], verb: str, arguments: Sequence[str], default: T | None = None) -> T:
    """The verb's arguments as `kind`, a dataclass; a nested recipe is checked as a whole.

    Args:
        kind: the dataclass.
        verb: for messages.
        arguments: from the command line.
        default: what holds where nothing is said; required fields are then no longer required.

    Raises:
        BadInput: an option that does not exist or is missing, a value that cannot be read, or
            recipe fields that do not fit each other.
        SystemExit: 0 after --help.
    """

    def parsed(arguments: Sequence[str]) -> tuple[T, list[str]]:
        known = cast(T, tyro.MISSING_NONPROP) if default is None else default
        with _registry():
            return tyro.cli(
                kind,
                prog=f"gleam {verb}",
                args=list(arguments),
                default=known,
                return_unknown_args=True,
            )

    text, unknown = io.StringIO(), None
    try:
        with redirect_stderr(text):
            result, unknown = parsed(arguments)
    except (ValidationError, SystemExit) as error:
        if isinstance(error, SystemExit) and not error.code:
            raise
        problem = _validation(error)
        what = first_problem(problem, Recipe) if problem else _first_paragraph(text.getvalue())
    else:
        if not unknown:
            return result
        what = f"{unknown[0]}: one value too many"

    with redirect_stdout(io.StringIO()) as help, suppress(SystemExit):
        parsed(["--help"])
    flags = dict.fromkeys(re.findall(r"--[a-z][a-z0-9.-]*", help.getvalue()))
    for name in (a.partition("=")[0].replace("_", "-") for a in arguments if a.startswith("--")):
        if name not in flags:
            hint = nearest(name, flags, f"gleam {verb} --help names them all")
            what = f"{name}: no such option; {hint}"
    raise BadInput(f"{verb}: {what}")


def recipe_named(arguments: Sequence[str]) -> Path | None:
    """The recipe file among a verb's arguments, before they are parsed: what it says is the
    default of the options."""
    before = ["", *arguments]
    return next(
        (
            Path(one)
            for option, one in zip(before, arguments, strict=False)
            if one.endswith((".yaml", ".yml"))
            and not one.startswith("-")
            and option not in ("-o", "--out")
        ),
        None,
    )


def _registry() -> tyro.constructors.ConstructorRegistry:
    """Lists of a recipe's parts as the command line has them: mappings, as in the recipe's file."""
    registry = tyro.constructors.ConstructorRegistry()

    @registry.primitive_rule
    def parts(
        info: tyro.constructors.PrimitiveTypeInfo,
    ) -> tyro.constructors.PrimitiveConstructorSpec[tuple[Part, ...]] | None:
        part, *_ = get_args(info.type) or (None,)
        if get_origin(info.type) is not tuple or part not in (MaskRecipe, StageRecipe):
            return None
        first = next(iter(part.model_fields))
        return tyro.constructors.PrimitiveConstructorSpec(
            nargs="*",
            metavar=f"'{{{first}: …}}' …",
            instance_from_str=lambda said: tuple(
                part.model_validate(yaml.safe_load(one)) for one in said
            ),
            is_instance=lambda value: isinstance(value, tuple),
            str_from_instance=lambda value: [
                str(one.model_dump(exclude_none=True)) for one in value
            ],
        )

    return registry


def _validation(error: BaseException | None) -> ValidationError | None:
    """The recipe's own complaint, if it is what made tyro give up."""
    while error is not None and not isinstance(error, ValidationError):
        error = error.__context__
    return error


def _first_paragraph(box: str) -> str:
    """The first paragraph of tyro's box, without the frame and the help it repeats for each
    option."""
    lines = [line.strip("│") for line in box.splitlines()[1:]]
    end = next((i for i, line in enumerate(lines) if not line.strip(" ─╰╯")), len(lines))
    first, *more = (line.rstrip() for line in lines[:end] if not line.startswith(" " * 9))
    if first.startswith(" Missing from"):
        return f"missing: {'; '.join(line.strip() for line in more)}"
    return " ".join(line.strip() for line in [first, *more]).removeprefix("Error parsing ")
