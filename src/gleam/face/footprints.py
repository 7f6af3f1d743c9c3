"""`footprint`: the memory that a training takes, known before it is run."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from gleam.errors import BadInput
from gleam.face.runs import recipe_of
from gleam.face.words import in_python, whole_numbers
from gleam.planning.blocks import footprint_of_blocks
from gleam.planning.footprint import Footprint
from gleam.planning.footprint import footprint as of_recipe
from gleam.planning.machine import machine_of
from gleam.planning.scans import scan_of
from gleam.recipe import Recipe
from gleam.trust import trusting
from gleam.words import nearest


@in_python()
def footprint(
    of: Recipe | str | Path | Mapping[str, Any] | Iterable[nn.Module],
    example_inputs: Any = None,
    *,
    shape: Sequence[int] | None = None,
    coils: int | None = None,
    frames: int | None = None,
    devices: int = 1,
    device: str = "auto",
    trust: Sequence[str] = (),
    **settings: Any,
) -> Footprint:
    """The memory of a training step at its peak, found in seconds and without running it.

    It is split into parameters, gradients, optimizer, activations and workspace, beside the batch
    itself and what a GPU takes for itself; `peak` is all of it, and `metered` what a run says.

    >>> recipe = {"network": {"family": "pgd", "iterations": 4}, "training": {"modules": 2}}
    >>> found = gleam.footprint(recipe, shape=(320, 320), coils=8, device="cpu")
    >>> print(found)
    175 MiB: parameters ..., optimizer ..., activations ..., data ...
    >>> end_to_end = gleam.footprint(
    ...     recipe, shape=(320, 320), coils=8, device="cpu", training={"modules": 1}
    ... )
    >>> end_to_end.activations > 1.8 * found.activations
    True

    Blocks of any other network, with what the first of them is called with:

    >>> layers = torch.nn.ModuleList(torch.nn.Conv2d(2, 2, 3, padding=1) for _ in range(12))
    >>> gleam.footprint(layers, torch.zeros(1, 2, 64, 64), modules=4, device="cpu").parameters
    1824

    Args:
        of: a recipe, its file or its fields; or blocks, as `greedy` takes them.
        example_inputs: of blocks: a state; or a tuple of it and what else `train_step` is given.
        shape: of a slice (y x) or a volume (z y x); by default that of the largest example that
            the recipe learns from.
        coils: of a scan, with `shape`.
        frames: of a series, with `shape`.
        devices: of a pipeline; what is said is that of the one that takes most, and of all of them
            in `devices`.
        device: where it is to run; "cuda" is any GPU, where there is none here.
        trust: packages that the recipe may take its network from.
        settings: changes of the recipe, part by part: training={"modules": 8}; of blocks modules,
            storage, optimizer, overlap, loss and target, as `greedy` and `train_step` have them.

    Raises:
        BadInput: the recipe is for other scans than these; or what is said does not fit.
    """
    sizes = None if shape is None else whole_numbers(shape, "shape")
    machine = machine_of(device)
    if not isinstance(of, Recipe | str | Path | Mapping):
        if example_inputs is None:
            raise BadInput(
                "footprint: of blocks, give example_inputs: what the first is called with"
            )
        if shape is not None or coils is not None or frames is not None or devices != 1:
            raise BadInput("footprint: shape, coils, frames and devices are for recipes")
        known = [*inspect.signature(footprint_of_blocks).parameters][3:]
        if unknown := [name for name in settings if name not in known]:
            raise BadInput(f"footprint: has no {unknown[0]}; {nearest(unknown[0], known)}")
        return footprint_of_blocks(of, example_inputs, machine, **settings)
    if example_inputs is not None:
        raise BadInput(
            "footprint: example_inputs are for blocks; of a recipe, give shape and coils"
        )
    recipe = recipe_of(of).changed(**settings)
    with trusting(trust):
        return of_recipe(recipe, scan_of(recipe, sizes, coils, frames), machine, devices)
