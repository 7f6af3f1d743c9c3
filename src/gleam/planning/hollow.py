"""`hollow_example`, `hollow_network`: an example or network of the same size whose arrays have no
memory, for a trace of what is done with it. An example's masks are as they are.
"""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Complex
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

from gleam.data.example import Example, Slice
from gleam.data.header import Header
from gleam.networks import Unrolled, build
from gleam.physics.espirit import CHUNK
from gleam.preparation.prepare import Prepared
from gleam.recipe import Recipe

_OF_MAPS = 3  # times what ESPIRiT decomposes at once: matrices, eigenvectors, and their making


def hollow_example(example: Example, mode: FakeTensorMode) -> Example:
    """The same example without its arrays: a slice that is prepared when it is read is traced so,
    all else is simply there.

    Args:
        example: on disk, or prepared as it is read.
        mode: whose tensors its arrays are.
    """
    if isinstance(example, Prepared) and example.header.slab_axis is None:
        return _Preparing(example, mode)
    facts = example.header, example.shape, example.sets, example.sampled, example.complete
    return Stored(mode, *facts, example.path)


@dataclass
class Stored:
    """An example file, as which volumes are kept while they are reconstructed.

    Attributes:
        mode: whose tensors its arrays are.
        header, shape, sets, sampled, complete, path: see `Example`.
    """

    mode: FakeTensorMode
    header: Header
    shape: tuple[int, ...]
    sets: int
    sampled: Bool[Tensor, "frame *space"]
    complete: bool
    path: Path | None = None

    def __getitem__(self, index: int) -> Slice:
        """See `Example`."""
        return self._slice(self.shape[3:])

    def slab(self, positions: range) -> Slice:
        """See `Example`."""
        return self._slice(self._space(positions))

    def maps(self, positions: range) -> Complex[Tensor, "set coil 1 *space"]:
        """See `Example`."""
        return self._made(self.sets, self.shape[1], 1, *self._space(positions))

    def _space(self, positions: range) -> tuple[int, ...]:
        space, axis = list(self.shape[3:]), self.header.slab_axis
        assert axis is not None
        space[axis] = len(positions)
        return tuple(space)

    def _slice(self, space: tuple[int, ...]) -> Slice:
        _, coils, frames, *_ = self.shape
        target = self._made(self.sets, frames, *space) if self.complete else None
        maps = self._made(self.sets, coils, 1, *space)
        return Slice(self._made(coils, frames, *space), maps, target)

    def _made(self, *shape: int) -> Tensor:
        return empty(self.mode, *shape)


class _Preparing(Prepared):
    """A scan that is prepared slice by slice: what is read and the maps have no memory."""

    def __init__(self, example: Prepared, mode: FakeTensorMode) -> None:
        vars(self).update(vars(copy.copy(example)))
        self._mode = mode

    def _scanned(self, index: int) -> Tensor:
        return empty(self._mode, *self.scan.kspace.shape[1:])

    def _sensitivities(self, index: int) -> Any:
        return self

    def maps(self, positions: range | None = None) -> Tensor:
        """Those of a slice; what it takes to find them is bounded (see `gleam.physics.espirit`)."""
        _, coils, _, *space = self.shape
        found = empty(self._mode, self.sets, coils, 1, *space)
        entries = coils**2 * found[0, 0].numel()
        empty(self._mode, _OF_MAPS * min(CHUNK, entries))
        return found


def empty(mode: FakeTensorMode, *shape: int) -> Complex[Tensor, "..."]:
    """Complex numbers that are not there."""
    with mode:
        return torch.empty(shape, dtype=torch.complex64)


def hollow_network(recipe: Recipe, mode: FakeTensorMode) -> Unrolled:
    """The network of a recipe; its weights and buffers are shapes."""
    if recipe.network.build is not None:  # what somebody's code does with weights is not known
        network = build(recipe.network, recipe.seed)
    else:
        with _OfShapes():
            network = build(recipe.network, recipe.seed)
    with mode:
        for part in network.modules():
            for name, weight in part._parameters.items():
                if weight is not None:
                    part._parameters[name] = nn.Parameter(_like(weight), weight.requires_grad)
            for name, buffer in part._buffers.items():
                if buffer is not None:
                    part._buffers[name] = _like(buffer)
    return network


class _OfShapes(TorchFunctionMode):
    """A context in which layers are made whose weights have no memory, nor values."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """See `TorchFunctionMode`."""
        kwargs = dict(kwargs or {})
        if func is torch.empty:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def _like(tensor: Tensor) -> Tensor:
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="cpu")
