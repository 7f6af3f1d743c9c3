"""Other people's networks: what a recipe's `network.build` makes, taken for an unrolled network.

It makes an *adapter*, any object that says of a network

- `blocks`: its parts in order, each an `nn.Module` called block(state, measurement) → state;
- `first(measurement)`: the state before the first of them;
- `image(state)`: the image of a state, (batch, set, frame, *space) complex64;

and, where these are wanted of it,

- `shapes(image)`: of the tensors of its state, by the shape of the image: for pipelines;
- `reach(axis)`: how far a block looks along a space axis (z = −3): for volumes in slabs;
- `alignment(axis)`: what slabs start at a multiple of; 1 if it does not say.

A block that can be undone has the methods of `Invertible`, for `storage: invert`. What an adapter
does not say is refused by name where it is wanted.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from gleam import trust
from gleam.arrays import Image
from gleam.errors import BadInput
from gleam.networks.unrolled import Placed, Unrolled, unplaced
from gleam.physics.measurement import Measured
from gleam.recipe import NetworkRecipe
from gleam.words import nearest


@runtime_checkable
class Adapter(Protocol):
    """The least that is asked of one."""

    @property
    def blocks(self) -> Iterable[nn.Module]:
        """See above."""

    def first(self, measurement: Any) -> Any:
        """See above."""

    def image(self, state: Any) -> Image:
        """See above."""


class Foreign:
    """An adapter's description of its state, as `StateFormat`.

    Args:
        adapter: it.
        name: of the function that made it, for messages.
    """

    def __init__(self, adapter: Adapter, name: str) -> None:
        self.adapter, self.name = adapter, name

    @property
    def in_slabs(self) -> bool:
        """See `StateFormat`: where it does not say how far it looks, volumes are taken whole."""
        return hasattr(self.adapter, "reach")

    def first(self, measurement: Measured) -> Any:
        """See `StateFormat`."""
        return self.adapter.first(measurement)

    def image(self, state: Any) -> Image:
        """See `StateFormat`."""
        return self.adapter.image(state)

    def shapes(self, image: Sequence[int]) -> Any:
        """See `StateFormat`."""
        shape = self._asked("shapes", "to travel between processes")(tuple(image))
        if not isinstance(shape, list | tuple) or not all(isinstance(n, int) for n in shape):
            raise BadInput(
                f"{self.name}: its state is several tensors, and only one, complex, travels "
                "between processes; train it on one device"
            )
        return tuple(shape)

    def reach(self, iterations: Iterable[nn.Module], axis: int) -> int:
        """See `StateFormat`."""
        reach: int = self._asked("reach", "to be taken in slabs (data.slab)")(axis)
        return reach

    def alignment(self, iterations: Iterable[nn.Module], axis: int) -> int:
        """See `StateFormat`."""
        alignment: Callable[[int], int] = getattr(self.adapter, "alignment", lambda axis: 1)
        return alignment(axis)

    def _asked(self, method: str, purpose: str) -> Callable[..., Any]:
        found = getattr(self.adapter, method, None)
        if found is None:
            raise BadInput(f"{self.name}: its network has no `{method}`, which it needs {purpose}")
        function: Callable[..., Any] = found
        return function


def foreign(
    recipe: NetworkRecipe, seed: int = 0, frozen: int = 0, placed: Placed = unplaced
) -> Unrolled:
    """The network of a recipe of family python, its weights drawn from `seed`; see `build`.

    Raises:
        BadInput: it is not trusted, cannot be made, or is no adapter of so many blocks.
    """
    name = str(recipe.build)
    make = trust.imported(name)
    _check_arguments(make, recipe)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed * 100_003)  # the CPU's; no GPU's is touched
        try:
            adapter = make(iterations=recipe.iterations, **recipe.arguments)
            lacking = [part for part in ("blocks", "first", "image") if not hasattr(adapter, part)]
            blocks = [] if lacking else [*adapter.blocks]
        except BadInput:
            raise
        except Exception as error:  # whatever somebody's code does
            raise BadInput(f"{name}: cannot make the network ({trust.told(error)})") from error
    if lacking:
        raise BadInput(
            f"{name}: gives a {type(adapter).__name__} without {' and '.join(lacking)}; it has to "
            "say `first`, `blocks` and `image` of a network (docs/your-network.md)"
        )
    for block in blocks:
        if not isinstance(block, nn.Module):
            raise BadInput(f"{name}: has a block that is a {type(block).__name__}, no nn.Module")
    if len(blocks) != recipe.iterations:
        raise BadInput(
            f"{name}: gives {len(blocks)} blocks, but network.iterations is {recipe.iterations}"
        )
    for k, block in enumerate(blocks):
        placed(k, block)
    return Unrolled(blocks, Foreign(adapter, name), frozen)


def _check_arguments(make: Callable[..., Any], recipe: NetworkRecipe) -> None:
    """Make sure that it takes them: before it is called, what is misspelt can be named."""
    parameters = inspect.signature(make).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    known = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    if "iterations" not in known:
        raise BadInput(f"{recipe.build}: takes no `iterations`, the number of blocks to make")
    for name in recipe.arguments:
        if name not in known:
            others = [other for other in known if other != "iterations"]
            hint = nearest(name, others) if others else "it takes none but iterations"
            raise BadInput(
                f"network.arguments.{name}: {recipe.build} takes no such argument; {hint}"
            )
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in {"iterations", *recipe.arguments}:
            raise BadInput(f"network.arguments.{name}: is missing; {recipe.build} needs it")
