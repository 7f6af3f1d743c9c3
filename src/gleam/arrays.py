"""The shapes of the tensors that travel through the house: batch first, every axis always present.

`set` counts ESPIRiT map sets (1 or 2), `frame` is 1 when static, `space` is `y x` or `z y x`.
Tests check these annotations at run time; elsewhere they cost nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any

from jaxtyping import Bool, Complex, Float, Shaped
from torch import Tensor

Image = Complex[Tensor, "batch set frame *space"]
State = Complex[Tensor, "batch stream_set frame *space"]  # one image, or two: see networks
KSpace = Complex[Tensor, "batch coil frame *space"]
Maps = Complex[Tensor, "batch set coil 1 *space"]
Mask = Bool[Tensor, "#batch 1 #frame *#space"] | Float[Tensor, "#batch 1 #frame *#space"]
Scalar = Float[Tensor, ""]
AnyTensor = Shaped[Tensor, "..."]  # of any shape and type, where a function asks for neither


def crop(array: AnyTensor, sizes: Sequence[int]) -> AnyTensor:
    """The central part of the last axes."""
    for axis, size in zip(range(-len(sizes), 0), sizes, strict=True):
        array = centre(array, axis, size)
    return array


def narrow(array: AnyTensor, axis: int, positions: range) -> AnyTensor:
    """Some positions along an axis."""
    return array.narrow(axis, positions.start, len(positions))


def slabs(length: int, size: int) -> list[range]:
    """An axis cut into parts of one size, but for the last."""
    return [range(first, min(first + size, length)) for first in range(0, length, size)]


def centre(array: AnyTensor, axis: int, size: int) -> AnyTensor:
    """The central part of one axis: n of N positions from ⌊N/2⌋ − ⌊n/2⌋ on."""
    return array.narrow(axis, array.shape[axis] // 2 - size // 2, size)


def mapped(function: Callable[[Tensor], Any], state: Any) -> Any:
    """The same tensor, tuple, list or dict of such with `function` applied to each tensor in it."""
    if isinstance(state, Tensor):
        return function(state)
    if isinstance(state, dict):
        return type(state)({name: mapped(function, part) for name, part in state.items()})
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(mapped(function, part) for part in state))
    if isinstance(state, list | tuple):
        return type(state)(mapped(function, part) for part in state)
    return state


def tensors(state: Any) -> list[Tensor]:
    """The tensors in a state, in order."""
    found: list[Tensor] = []
    mapped(found.append, state)
    return found


def described(state: Any) -> str:
    """Types and shapes, for messages: `complex64 (2, 1, 1, 24, 20)`, and devices but the CPU."""
    if isinstance(state, Tensor):
        where = "" if state.device.type == "cpu" else f" on {state.device}"
        return f"{str(state.dtype).removeprefix('torch.')} {tuple(state.shape)}{where}"
    if isinstance(state, dict):
        return f"{{{', '.join(f'{name}: {described(part)}' for name, part in state.items())}}}"
    if isinstance(state, list | tuple):
        return f"({', '.join(map(described, state))})"
    return type(state).__name__
