"""A complex program in real arithmetic: every complex tensor becomes two real ones, side by side.

ONNX has no complex numbers but those that its DFT takes and gives, real and imaginary parts along a
last axis. So the graph that `torch.export` made is run once more, operation by operation, with
complex tensors as such pairs: what it does then is a graph of real operations, and `gleam::dft`.
"""

import operator
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from gleam.arrays import AnyTensor
from gleam.errors import BadInput

aten = torch.ops.aten


@torch.library.custom_op("gleam::dft", mutates_args=())
def dft(pairs: Tensor, axis: int, inverse: bool) -> Tensor:
    """The DFT of pairs (..., 2) as ONNX defines it, along one axis: the inverse divides by N."""
    transform = torch.fft.ifft if inverse else torch.fft.fft
    return torch.view_as_real(transform(torch.view_as_complex(pairs.contiguous()), dim=axis))


@dft.register_fake
def _(pairs: Tensor, axis: int, inverse: bool) -> Tensor:
    return torch.empty_like(pairs)


class Pair:
    """A complex tensor, its real and imaginary parts along a last axis of `parts`."""

    def __init__(self, parts: Shaped[Tensor, "... 2"]) -> None:
        self.parts = parts

    @property
    def ndim(self) -> int:
        """Number of axes of the complex tensor."""
        return self.parts.ndim - 1


class Real(nn.Module):
    """A program in real arithmetic: complex inputs and outputs are pairs, (*shape, 2).

    Args:
        program: what it is the twin of.
    """

    def __init__(self, program: ExportedProgram) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of torch, about itself
            self.module = program.run_decompositions().module()
        self.complex = [
            isinstance(node.meta["val"], Tensor) and node.meta["val"].is_complex()
            for node in self.module.graph.nodes
            if node.op == "placeholder"
        ]

    def forward(self, *inputs: AnyTensor) -> AnyTensor:
        """The same, of the same."""
        given = [
            Pair(x) if is_complex else x for x, is_complex in zip(inputs, self.complex, strict=True)
        ]
        result = _Interpreter(self.module).run(*given)
        (image,) = result if isinstance(result, list | tuple) else (result,)
        return image.parts if isinstance(image, Pair) else image


class _Interpreter(fx.Interpreter):
    """Runs a graph; operations on pairs are those of the table below."""

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        flat = [*args, *kwargs.values()]
        flat += [one for part in flat if isinstance(part, list | tuple) for one in part]
        if target in _ASSERTIONS:
            return None
        if target is operator.getitem:
            return args[0][args[1]]
        if target not in _MAKE_PAIRS and not any(isinstance(one, Pair) for one in flat):
            return super().call_function(target, args, kwargs)
        name = str(target.overloadpacket if hasattr(target, "overloadpacket") else target)
        operation = _PAIRED.get(name.removeprefix("aten."))
        if operation is None:
            raise BadInput(
                f"the network uses {target} on complex numbers, for which ONNX export has no real "
                "counterpart; export it --to a .pt2 file instead"
            )
        return operation(*args, **kwargs)

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Only the check of the inputs' shapes is one."""
        return None


_ASSERTIONS = {
    aten._assert_tensor_metadata.default,
    aten._assert_scalar.default,
    aten._assert_async.msg,
}
_MAKE_PAIRS = {aten.view_as_complex.default}


def _parts(x: Any) -> Any:
    """Real and imaginary part of a pair; a real tensor or number has an imaginary part of zero."""
    if isinstance(x, Pair):
        return x.parts
    x = torch.as_tensor(x)
    return torch.stack([x, torch.zeros_like(x)], -1)


def _plus(sign: int) -> Callable[..., Pair]:
    def operation(a: Any, b: Any, alpha: Any = 1) -> Pair:
        return Pair(_parts(a) + sign * alpha * _parts(b))

    return operation


def _times(a: Any, b: Any) -> Pair:
    if not isinstance(a, Pair):
        a, b = b, a
    if not isinstance(b, Pair):
        factor = b.to(a.parts.dtype)[..., None] if isinstance(b, Tensor) else b
        return Pair(a.parts * factor)
    (x, y), (u, v) = a.parts.unbind(-1), b.parts.unbind(-1)
    return Pair(torch.stack([x * u - y * v, x * v + y * u], -1))


def _over(a: Pair, b: Any) -> Pair:
    if isinstance(b, Pair):
        return _times(a, Pair(_conj(b).parts / b.parts.square().sum(-1, keepdim=True)))
    return Pair(a.parts / (b[..., None] if isinstance(b, Tensor) else b))


def _conj(x: Pair) -> Pair:
    real, imaginary = x.parts.unbind(-1)
    return Pair(torch.stack([real, -imaginary], -1))


def _abs(x: Pair) -> Tensor:
    return x.parts.square().sum(-1).sqrt()


def _where(chosen: Tensor, a: Any, b: Any) -> Pair:
    return Pair(torch.where(chosen[..., None], _parts(a), _parts(b)))


def _addcmul(x: Pair, a: Any, b: Any, value: Any = 1) -> Pair:
    return Pair(x.parts + value * _times(a, b).parts)


def _back(axis: int) -> int:
    """An axis of the complex tensor as one of the pair, which has another at its end."""
    return axis if axis >= 0 else axis - 1


def _along(operation: Callable[..., Tensor]) -> Callable[..., Pair]:
    """Operations on (tensor, axis, …), for pairs."""
    return lambda x, axis=0, *args, **kwargs: Pair(operation(x.parts, _back(axis), *args, **kwargs))


def _cat(tensors: Sequence[Any], axis: int = 0) -> Pair:
    return Pair(torch.cat([_parts(x) for x in tensors], _back(axis)))


def _stack(tensors: Sequence[Any], axis: int = 0) -> Pair:
    return Pair(torch.stack([_parts(x) for x in tensors], _back(axis)))


def _sum(x: Pair, axes: Any = None, keepdim: bool = False, **_: Any) -> Pair:
    return Pair(x.parts.sum([_back(a) for a in axes or range(x.ndim)], keepdim))


def _mean(x: Pair, axes: Any = None, keepdim: bool = False, **_: Any) -> Pair:
    return Pair(x.parts.mean([_back(a) for a in axes or range(x.ndim)], keepdim))


def _split(x: Pair, *args: Any, **kwargs: Any) -> list[Pair]:
    size, axis, *_ = (*args, kwargs.get("dim", 0))
    return [Pair(part) for part in torch.split(x.parts, size, _back(axis))]


def _c2c(x: Pair, axes: Sequence[int], normalization: int, forward: bool) -> Pair:
    """torch's normalization: 0 by none, 1 by the root of the length, 2 by the length."""
    parts = x.parts
    for axis in axes:
        length = parts.shape[axis if axis >= 0 else axis - 1]
        parts = dft(parts, axis % x.ndim, not forward)
        power = (0.0, -0.5, -1.0)[normalization] + (0.0 if forward else 1.0)
        if power:
            parts = parts * torch.sym_float(length) ** power  # type: ignore[no-untyped-call]
    return Pair(parts)


def _number(value: complex) -> Tensor:
    return torch.tensor([value.real, value.imag])


_PAIRED: dict[str, Callable[..., Any]] = {
    "view_as_complex": Pair,
    "view_as_real": lambda x: x.parts,
    "real": lambda x: x.parts[..., 0],
    "imag": lambda x: x.parts[..., 1],
    "complex": lambda a, b: Pair(torch.stack([a, b], -1)),
    "add": _plus(1),
    "sub": _plus(-1),
    "mul": _times,
    "div": _over,
    "neg": lambda x: Pair(-x.parts),
    "addcmul": _addcmul,
    "_conj": _conj,
    "conj": _conj,
    "_conj_physical": _conj,
    "conj_physical": _conj,
    "resolve_conj": lambda x: x,
    "abs": _abs,
    "where": _where,
    "sum": _sum,
    "mean": _mean,
    "cat": _cat,
    "stack": _stack,
    "select": _along(torch.select),
    "slice": lambda x, axis=0, first=0, last=None, step=1: Pair(
        aten.slice.Tensor(x.parts, _back(axis), first, last, step)
    ),
    "unsqueeze": _along(torch.unsqueeze),
    "squeeze": lambda x, axes: Pair(
        torch.squeeze(x.parts, [_back(a) for a in ([axes] if isinstance(axes, int) else axes)])
    ),
    "split": _split,
    "split_with_sizes": _split,
    "permute": lambda x, axes: Pair(x.parts.permute(*(a % x.ndim for a in axes), x.ndim)),
    "transpose": lambda x, a, b: Pair(x.parts.transpose(_back(a), _back(b))),
    "view": lambda x, size: Pair(x.parts.reshape(*size, 2)),
    "reshape": lambda x, size: Pair(x.parts.reshape(*size, 2)),
    "_unsafe_view": lambda x, size: Pair(x.parts.reshape(*size, 2)),
    "expand": lambda x, size, **_: Pair(x.parts.expand(*size, 2)),
    "roll": lambda x, shifts, axes: Pair(x.parts.roll(shifts, [_back(a) for a in axes])),
    "clone": lambda x, **_: x,
    "contiguous": lambda x, **_: x,
    "alias": lambda x: x,
    "detach": lambda x: x,
    "_to_copy": lambda x, **_: x,
    "zeros_like": lambda x, **_: Pair(torch.zeros_like(x.parts)),
    "full_like": lambda x, value, **_: Pair(torch.zeros_like(x.parts) + _number(value)),
    "sym_size": lambda x, axis: x.parts.shape[_back(axis)],
    "_fft_c2c": _c2c,
}
