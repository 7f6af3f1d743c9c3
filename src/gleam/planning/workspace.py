"""Memory that convolutions take while they run, beside their results: measured once on a device,
and kept.

oneDNN reorders weights, and what it cannot convolve in the layout that it has; PyTorch's own
convolutions write out columns; cuDNN asks for a workspace. None of it is told before, but it
depends on little: on the kind of a convolution, and in proportion on the positions of one image.
So each kind is run on two small grids, or on its own where that is small.
"""

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gleam.device import described
from gleam.files import replacing
from gleam.planning.trace import aten, channels_last, outside
from gleam.training.meter import metered

SMALL = 2**25  # multiplications of a convolution that is run on its own grid
LARGE = 2**32  # those of one that takes a second: of so many channels few positions tell

LAST, FIRST, PART = "last", "first", "part"

Grid = tuple[int, ...]


@dataclass(frozen=True)
class Convolution:
    """A convolution, or its backward pass.

    Attributes:
        wanted: gradients of a backward pass: of the image, and of the weight; None for a forward
            pass.
        images: how many.
        grid: of one, (y, x) or (y, x, z).
        channels: that go in and come out.
        kernel, stride, padding: along each axis.
        dtype: its name.
        layout: of the image in memory: channels last or first, or part of another.
        weight_layout: of the weight.
        gradient_layout: of what is pulled back.
        backend: that PyTorch chooses.
    """

    wanted: tuple[bool, bool] | None
    images: int
    grid: Grid
    channels: tuple[int, int]
    kernel: Grid
    stride: Grid
    padding: Grid
    dtype: str
    layout: str
    weight_layout: str
    gradient_layout: str
    backend: str

    @property
    def kind(self) -> str:
        """All but the size of its images, for a file."""
        values = vars(self).items()
        return " ".join(str(value) for name, value in values if name not in ("images", "grid"))

    @property
    def positions(self) -> int:
        """Number of positions of one image."""
        return math.prod(self.grid)

    @property
    def copied(self) -> int:
        """Bytes of each image, and of its gradient, that oneDNN copies to lay them out anew."""
        if self.backend.startswith("Slow"):
            return 0
        sizes = zip(self.grid, self.kernel, self.stride, self.padding, strict=True)
        after = math.prod((n + 2 * pad - k) // by + 1 for n, k, by, pad in sizes)
        inputs, outputs = self.channels
        image = inputs * self.positions if self.layout != LAST else 0
        back = self.wanted is not None and self.gradient_layout != LAST
        numbers = image + (outputs * after if back else 0)
        return numbers * int(getattr(torch, self.dtype).itemsize)

    @property
    def size(self) -> int:
        """Multiplications, of as many positions as go in."""
        per_position = math.prod(self.channels) * math.prod(self.kernel)
        return self.images * self.positions * per_position

    def run(self, device: torch.device) -> int:
        """Bytes that it takes beside its results, measured."""
        inputs, outputs = self.channels
        dtype = getattr(torch, self.dtype)

        def made(layout: str, *shape: int) -> Tensor:
            if layout == PART:
                *others, last = shape
                return torch.zeros(*others, last + 2, dtype=dtype, device=device)[..., 1:-1]
            tensor = torch.zeros(shape, dtype=dtype, device=device)
            return tensor.to(memory_format=channels_last(tensor)) if layout == LAST else tensor

        image = made(self.layout, self.images, inputs, *self.grid)
        weight = made(self.weight_layout, outputs, inputs, *self.kernel)
        settings = [*self.stride], [*self.padding], [1] * len(self.grid), False
        rest = [0] * len(self.grid), 1

        def forth() -> Any:
            return aten.convolution(image, weight, None, *settings, *rest)

        def back() -> Any:
            mask = [*(self.wanted or ()), False]
            return aten.convolution_backward(gradient, image, weight, None, *settings, *rest, mask)

        gradient = made(self.gradient_layout, *forth().shape)
        work: Callable[[], Any] = forth if self.wanted is None else back
        work()  # plans are made by the first
        result, peak = metered(work, device)
        results = result if isinstance(result, tuple) else (result,)
        lasting = [one.untyped_storage().nbytes() for one in results if one is not None]
        return max(0, peak - int(sum(lasting)))


class Workspaces:
    """Workspaces of the convolutions of a device that is at hand.

    Args:
        device: it.
        folder: where what was measured is kept; by default the user's cache.
    """

    def __init__(self, device: torch.device, folder: Path | None = None) -> None:
        self._device = device
        name = "".join(
            c if c.isalnum() else "-" for c in f"{described(device)} {torch.__version__}"
        )
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gleam"
        self._path = (folder or cache) / f"workspace-{name}.json"
        self._lines = _read(self._path)  # bytes = first + second · positions, by kind and grids
        self._exact: dict[Convolution, int] = {}

    def __call__(self, func: Any, args: tuple[Any, ...]) -> int:
        """See `Workspace`."""
        return self.of(found(func, args))

    def of(self, one: Convolution) -> int:
        """Bytes of a convolution."""
        if one not in self._exact:
            if one.size <= SMALL:
                with outside():
                    self._exact[one] = one.run(self._device)
            else:
                first, slope = self._line(one)
                others = one.images - _smaller(one)[0].images
                self._exact[one] = round(first + slope * one.positions) + others * one.copied
        return self._exact[one]

    def _line(self, one: Convolution) -> tuple[float, float]:
        small, large = _smaller(one)
        key = f"{one.kind} {small.grid} {large.grid}"
        if key not in self._lines:
            with outside():
                few, many = small.run(self._device), large.run(self._device)
            slope = max(0.0, (many - few) / (large.positions - small.positions))
            self._lines[key] = few - slope * small.positions, slope
            self._keep()
        return self._lines[key]

    def _keep(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self._path) as temporary:
                temporary.write_text(json.dumps(self._lines))
        except OSError:  # then it is measured again
            pass


def found(func: Any, args: tuple[Any, ...]) -> Convolution:
    """The convolution that an operation is."""
    backward = func.overloadpacket is aten.convolution_backward
    image, weight, _, stride, padding, dilation = args[1:7] if backward else args[:6]
    bias, transposed, out, groups = None, False, [0] * len(stride), 1
    backend = torch._C._select_conv_backend(
        image, weight, bias, stride, padding, dilation, transposed, out, groups
    )
    return Convolution(
        wanted=(bool(args[-1][0]), bool(args[-1][1])) if backward else None,
        images=image.shape[0],
        grid=tuple(image.shape[2:]),
        channels=(weight.shape[1], weight.shape[0]),
        kernel=tuple(weight.shape[2:]),
        stride=tuple(stride),
        padding=tuple(padding),
        dtype=str(image.dtype).removeprefix("torch."),
        layout=_layout(image),
        weight_layout=_layout(weight),
        gradient_layout=_layout(args[0]) if backward else "",
        backend=str(backend).rpartition(".")[2],
    )


def _layout(tensor: Tensor) -> str:
    if tensor.is_contiguous(memory_format=channels_last(tensor)):
        return LAST
    return FIRST if tensor.is_contiguous() else PART


def _smaller(one: Convolution) -> tuple[Convolution, Convolution]:
    """Two that are convolved in the same way: one has twice as many rows as the other."""
    rows, rest = max(8, one.kernel[0]), one.grid[1:]
    # Of one image, torch convolves few numbers in its own way; of two it never does.
    images = 1 if one.backend.startswith("Slow") else 2
    if replace(one, images=images, grid=(2 * rows, *rest)).size > SMALL:
        rest = tuple(min(length, most) for length, most in zip(rest, (32, 8), strict=False))
    if replace(one, images=images, grid=(2 * rows, *rest)).size > LARGE:
        rest = tuple(min(length, 8) for length in rest)
    first, second = (replace(one, images=images, grid=(n, *rest)) for n in (rows, 2 * rows))
    return first, second


def _read(path: Path) -> dict[str, tuple[float, float]]:
    try:
        lines = json.loads(path.read_text())
        return {str(kind): (float(first), float(slope)) for kind, (first, slope) in lines.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
